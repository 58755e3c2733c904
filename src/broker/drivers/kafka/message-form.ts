// Our messages as Kafka's records and back: key and body as they are, everything else in headers.
import { type Message, messageHeader, type StoredMessage } from '../../../message/message.js';
import { type GoContent, goSideHeaders, goValue, readGoValue, readOwnGoValue } from './go-form.js';
import type { FetchedRecord, ProduceRecord } from './kafka-requests.js';

/** bigpipe: readable with kcat. bigpipe-go: what the original writes and reads, for a fleet with both. */
export const messageForms = ['bigpipe', 'bigpipe-go'] as const;
export type MessageForm = (typeof messageForms)[number];

export function recordOf(message: Message, partition: number, form: MessageForm, nowMs: number): ProduceRecord {
  // The original has no calls without a URL: what has none goes as it is.
  if (form === 'bigpipe-go' && message.headers[messageHeader.url] !== undefined) {
    const value = goValue(message, partition, nowMs);
    return { key: null, value, headers: goSideHeaders(message), timestamp: nowMs };
  }
  const { key, body, headers } = message;
  return { key, value: body, headers, timestamp: nowMs };
}

const nothing = Buffer.alloc(0);

/** Reads whatever stands there: what is in none of the forms has no URL, and the dispatcher finds it invalid. */
export function messageOf(record: FetchedRecord, topic: string, partition: number): StoredMessage {
  const { offset, timestampMs, key, value, headers } = record;
  const place = { topic, partition, offset, timestampMs };
  const go = goContentOf(record);
  return go === null ? { ...place, key, body: value ?? nothing, headers } : { ...place, ...go };
}

/** Null for what is not in the original's form: a body of ours may look like it, and names no URL all the same. */
function goContentOf({ value, headers, rawKey }: FetchedRecord): GoContent | null {
  if (value === null) return null;
  if (headers[messageHeader.url] !== undefined) return readOwnGoValue(value, headers, rawKey);
  return headers[messageHeader.id] === undefined ? readGoValue(value) : null;
}
