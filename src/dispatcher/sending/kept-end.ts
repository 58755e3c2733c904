// How a delivery ended, as a record for whoever reads the subscription's answer topic; pure.
import { type Message, messageHeader, type StoredMessage } from '../../message/message.js';
import type { Outcome } from '../../message/outcome.js';

/** null: it was not sent. */
export type End = Exclude<Outcome, { kind: 'aborted' }> | null;

/** Key and note are the message's; the body is the answer's where it is a whole one that means delivered. */
export function endRecordOf(topic: string, { key, headers }: StoredMessage, end: End): Message {
  const body = end?.kind === 'delivered' ? (end.whole?.body ?? Buffer.alloc(0)) : Buffer.alloc(0);
  return { topic, key, body, headers: { [messageHeader.answer]: wordOf(end), ...noteOf(headers) } };
}

function wordOf(end: End): string {
  if (end === null) return 'unsent';
  return `${end.kind === 'delivered' ? 'answered' : 'failed'} ${end.status}`;
}

function noteOf(headers: StoredMessage['headers']): Record<string, string> {
  const note = headers[messageHeader.answerNote];
  return note === undefined ? {} : { [messageHeader.answerNote]: note };
}
