// What a caller is told of its transaction; pure.
import { messageHeader } from '../../message/message.js';
import type { HalfMessage } from '../../transaction/half-messages.js';
import type { TransactionView } from '../../transaction/transactions.js';

export const transactionStates = [
  'undecided',
  'in-doubt',
  'committing',
  'committed',
  'rolling-back',
  'rolled-back',
] as const satisfies readonly TransactionView['state'][];

export function bodyOf(view: TransactionView, messages: readonly HalfMessage[], nowMs: number): object {
  const { id, state, createdMs, checks, checkUrls, nextCheckMs, decidedBy, decidedMs } = view;
  const isOpen = decidedMs === null;
  return {
    id,
    state,
    createdAt: timeOf(createdMs),
    ageSeconds: Math.max(0, Math.round((nowMs - createdMs) / 1000)),
    ...(isOpen ? { checks, checkUrl: checkUrls } : { decidedBy, decidedAt: timeOf(decidedMs) }),
    ...(nextCheckMs === null ? {} : { nextCheckAt: timeOf(nextCheckMs) }),
    messages: messages.map(messageFactsOf),
  };
}

function messageFactsOf({ topic, key, headers }: HalfMessage): object {
  const url = headers[messageHeader.url];
  return {
    id: headers[messageHeader.id],
    topic,
    ...(url === undefined ? {} : { url }),
    ...(key === null ? {} : { key: key.toString('utf8') }),
  };
}

const timeOf = (unixMs: number) => new Date(unixMs).toISOString();
