// A transaction as one JSON object.
import type { Written } from '../messages/draft.js';
import { pointerOf, readJsonForm } from '../messages/json-form.js';
import type { Fault } from '../messages/problem.js';
import { checkCount, maxMessages, type TransactionField, type WrittenTransaction } from './transaction-draft.js';

type Json = Readonly<Record<string, unknown>>;

const names: Readonly<Record<TransactionField, string>> = {
  messages: 'messages',
  checkUrl: 'checkUrl',
  firstCheckAfter: 'firstCheckAfter',
  idempotencyKey: 'idempotency_key',
};
const known: ReadonlySet<string> = new Set(Object.values(names));

/** A field that nobody knows is a fault: one that was misspelled would not be obeyed. */
export function readTransactionForm(json: Json, faults: Fault[]): WrittenTransaction {
  for (const name of Object.keys(json))
    if (!known.has(name)) faults.push({ detail: 'there is no such field', pointer: pointerOf(name) });
  const { messages, checkUrl, firstCheckAfter, idempotency_key: idempotencyKey } = json;
  const list = Array.isArray(messages) ? messages : [];
  checkCount(list.length, pointerOf('messages'), faults);
  return {
    messages: list.slice(0, maxMessages).flatMap((one, i) => readMessage(one, i, faults) ?? []),
    checkUrl,
    firstCheckAfter,
    idempotencyKey,
    pointerOf: (field) => pointerOf(names[field]),
  };
}

function readMessage(one: unknown, at: number, faults: Fault[]): Written | null {
  const place = (pointer: string) => pointerOf('messages', String(at)) + pointer.slice(1);
  if (typeof one !== 'object' || one === null || Array.isArray(one)) {
    faults.push({ detail: 'allowed: an object', pointer: place('#') });
    return null;
  }
  const own: Fault[] = [];
  const read = readJsonForm(one as Record<string, unknown>, own);
  faults.push(
    ...own.map((fault) => (fault.pointer === undefined ? fault : { ...fault, pointer: place(fault.pointer) })),
  );
  return {
    ...read,
    placeOf: (field, member) => ({ pointer: place(read.placeOf(field, member).pointer ?? '#') }),
  };
}
