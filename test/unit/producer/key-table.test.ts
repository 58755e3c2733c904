// The table of idempotency keys, against a plain map of the same.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyTable } from '#src/producer/key-table.js';

const keyOf = (n: number) => createHash('sha256').update(String(n)).digest().subarray(0, 16);
/** Their first four bytes are alike, so that all want the same place. */
const crowdedKeyOf = (n: number) => Buffer.concat([Buffer.alloc(4, 7), keyOf(n).subarray(4)]);

test.each([
  ['keys far apart', keyOf],
  ['keys that want the same place', crowdedKeyOf],
])('%s: as a map would have it, through growing and forgetting', (_what, key) => {
  const steps = fc.array(
    fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 400 }) }, { weight: 1, arbitrary: fc.constant(-1) }),
    { maxLength: 900 },
  );
  fc.assert(
    fc.property(steps, (numbers) => {
      const table = new KeyTable();
      const model: { n: number; offset: number; isCurrent: boolean }[] = [];
      numbers.forEach((n, offset) => {
        if (n === -1) {
          table.dropOldest();
          model.shift();
          return;
        }
        table.add(key(n), BigInt(offset), offset);
        for (const entry of model) if (entry.n === n) entry.isCurrent = false;
        model.push({ n, offset, isCurrent: true });
      });
      for (let n = 0; n <= 400; n += 1) {
        const expected = model.findLast((entry) => entry.n === n && entry.isCurrent);
        const found = table.find(key(n));
        expect(found?.offset).toBe(expected === undefined ? undefined : BigInt(expected.offset));
      }
    }),
    { numRuns: 60 },
  );
});

test('100,000 keys, of which the newest 1,000 stay', () => {
  const table = new KeyTable();
  for (let n = 0; n < 100_000; n += 1) {
    table.add(keyOf(n), BigInt(n), n);
    if (table.size > 1000) table.dropOldest();
  }
  expect(table.size).toBe(1000);
  expect([table.oldestMs, table.oldestOffset]).toEqual([99_000, 99_000n]);
  expect(table.find(keyOf(98_999))).toBeNull();
  expect(table.find(keyOf(99_500))).toEqual({ offset: 99_500n, atMs: 99_500 });
});

test('the same record again changes nothing', () => {
  const table = new KeyTable();
  table.add(keyOf(1), 5n, 1);
  table.add(keyOf(1), 5n, 2);
  expect([table.size, table.find(keyOf(1))]).toEqual([1, { offset: 5n, atMs: 1 }]);
});
