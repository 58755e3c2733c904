// Our messages as Kafka's records and back: key and body as they are, everything else in headers.
import { type Message, messageHeader, type StoredMessage } from '../../../message/message.js';
import { goSideHeaders, goValue, readGoValue, readOwnGoValue } from './go-form.js';
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

/** A copy: the record's bytes are a part of a fetch's answer, all of which they would keep in memory. */
const copyOf = (bytes: Buffer | null) => (bytes === null ? null : Buffer.from(bytes));

/** Reads whatever stands there: what is in none of the forms has no URL, and the dispatcher finds it invalid. */
export function messageOf(record: FetchedRecord, topic: string, partition: number): StoredMessage {
  const headers = headersOf(record.headers);
  const place = { topic, partition, offset: BigInt(record.offset), timestampMs: Number(record.timestamp) };
  const value = record.value ?? nothing;
  const go = goContentOf(value, headers, record);
  if (go) return { ...place, ...go };
  return { ...place, key: copyOf(record.key), body: copyOf(value) ?? nothing, headers };
}

/** Null for what is not in the original's form: a body of ours may look like it, and names no URL all the same. */
function goContentOf(value: Buffer, headers: Record<string, string>, record: FetchedRecord) {
  if (headers[messageHeader.url] !== undefined) return readOwnGoValue(value, headers, record.headers);
  return headers[messageHeader.id] === undefined ? readGoValue(value) : null;
}

/** Of a header that stands there several times the last one counts. */
function headersOf(fetched: FetchedRecord['headers']): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name in fetched) {
    const value = fetched[name];
    const last = Array.isArray(value) ? (value.at(-1) as Buffer | undefined) : (value as Buffer | undefined);
    headers[name] = last?.toString('utf8') ?? '';
  }
  return headers;
}
