// An answer that came twice stands between what the keeper knew and where it carried the transaction: whoever begins to read there has it all the same.
import { expect, test } from 'vitest';
import type { StoredMessage } from '#src/message/message.js';
import { type Entry, recordOf } from '#src/transaction/transaction-record.js';
import { begun, next } from '#src/transaction/transaction-state.js';
import { TransactionTable } from '#src/transaction/transaction-table.js';

const id = 't';
const facts = { caller: 'c', checkUrls: ['http://one'], firstCheckMs: 0, createdMs: 1 };
const asked = { kind: 'asked', id, ask: 0, untilMs: 9 } as const;
const unknown = { kind: 'answer', id, ask: 0, says: 'unknown' } as const;

const readFrom = (log: readonly Entry[], from: number) => {
  const table = new TransactionTable(
    () => undefined,
    () => undefined,
  );
  for (const [offset, entry] of log.entries()) {
    if (offset < from) continue;
    table.apply({ ...recordOf(entry), partition: 0, offset: BigInt(offset), timestampMs: 5 } as StoredMessage);
  }
  table.caughtUp();
  return table;
};

test.each([
  ['the same answer again', unknown, true],
  ['a note that it is done, of nothing', { kind: 'done', id } as const, true],
  ['another question', { ...asked, ask: 1 }, false],
  ['a decision', { kind: 'answer', id, ask: 0, says: 'rollback' } as const, false],
])('%s', (_, between, isCarried) => {
  const state = next(next(begun, asked, 5, 1), unknown, 5, 1);
  if (state.kind !== 'undecided') throw new Error('it is decided');
  const carry = { kind: 'carry', id, ...facts, state, asOf: 3, epoch: 'e' } as const;
  const log: Entry[] = [
    { kind: 'begin', id, ...facts },
    { kind: 'owns', epoch: 'e' },
    asked,
    unknown,
    between as Entry,
    carry,
  ];
  const all = readFrom(log, 0);
  expect(all.find(id)?.offset).toBe(isCarried ? 5 : 0);
  if (!isCarried) {
    expect(readFrom(log, 4).find(id)).toBe(undefined);
    return;
  }
  const mark = all.mark(log.length);
  expect(mark).toBe(4);
  expect(readFrom(log, mark).find(id)).toMatchObject({ state, offset: 5 });
});
