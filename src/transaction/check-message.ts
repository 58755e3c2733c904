// The question to a producer what became of its transaction, as a message that the dispatcher delivers; pure.
import { type Message, messageHeader } from '../message/message.js';
import { checkTopic } from '../message/side-topic.js';
import type { HalfMessage } from './half-messages.js';
import type { Undecided } from './transaction-state.js';
import type { Transaction } from './transaction-table.js';

/** A question that could not be sent by then is not sent: it is put anew. */
const expiresMs = 300_000;
/** From then on it is taken for lost. */
export const lostMs = 2 * expiresMs;

export const checkType = 'bigpipe.transaction.check';

/** Instances take turns. */
export function checkUrlOf({ checkUrls }: Pick<Transaction, 'checkUrls'>, { asks }: Undecided): string {
  return checkUrls[asks % checkUrls.length] ?? '';
}

export function checkMessageOf(transaction: Transaction, halves: readonly HalfMessage[], nowMs: number): Message {
  const { id, createdMs } = transaction;
  const state = transaction.state as Undecided;
  const question = {
    id,
    createdAt: new Date(createdMs).toISOString(),
    check: state.checks + 1,
    messages: halves.map(shown),
  };
  return {
    topic: checkTopic,
    key: Buffer.from(id),
    body: Buffer.from(JSON.stringify(question)),
    headers: {
      [messageHeader.id]: `${id}:${state.asks}`,
      [messageHeader.url]: checkUrlOf(transaction, state),
      [messageHeader.contentType]: 'application/json',
      [messageHeader.type]: checkType,
      [messageHeader.expires]: String(nowMs + expiresMs),
      [messageHeader.answerNote]: String(state.asks),
    },
  };
}

/** By which its producer knows it again; not what is in it. */
function shown({ topic, key, headers }: HalfMessage): object {
  const forwarded = Object.entries(headers)
    .filter(([name]) => name.startsWith(messageHeader.forward))
    .map(([name, value]) => [name.slice(messageHeader.forward.length), value]);
  return {
    id: headers[messageHeader.id],
    topic,
    url: headers[messageHeader.url],
    type: headers[messageHeader.type],
    key: key?.toString('utf8'),
    headers: Object.fromEntries(forwarded),
  };
}
