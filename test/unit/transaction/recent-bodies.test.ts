// Bodies that are at hand: each under its offset, the newest 16 MiB, no more memory than that.
import { expect, test } from 'vitest';
import { RecentBodies } from '#src/transaction/recent-bodies.js';

const bodyOf = (offset: number) => Buffer.alloc(1 + (offset % 3000), `${offset} `);

test('each under its offset; the oldest go, and what is too large is never there', () => {
  const recent = new RecentBodies();
  const offsets = Array.from({ length: 30_000 }, (_, i) => i * 3 + (i % 2));
  for (const offset of offsets) recent.add(offset, bodyOf(offset));
  const there = offsets.filter((offset) => recent.get(offset)?.equals(bodyOf(offset)));
  const bytes = there.reduce((sum, offset) => sum + bodyOf(offset).length, 0);
  expect(there).toEqual(offsets.slice(-there.length));
  expect(bytes).toBeGreaterThan(14 * 2 ** 20);
  expect(bytes).toBeLessThanOrEqual(16 * 2 ** 20);
  expect(offsets.slice(0, -there.length).some((offset) => recent.get(offset) !== undefined)).toBe(false);
  expect([recent.get(-1), recent.get(2), recent.get(1e9)]).toEqual([undefined, undefined, undefined]);
  recent.add(1e6, Buffer.alloc(2 ** 20 + 1));
  expect(recent.get(1e6)).toBe(undefined);
  recent.add(1e6 + 1, Buffer.alloc(2 ** 20, 7));
  expect(recent.get(1e6 + 1)?.length).toBe(2 ** 20);
});
