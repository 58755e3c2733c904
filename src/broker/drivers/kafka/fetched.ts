// What a fetch brought of a partition: the messages of it, and how far it reaches.
import type { StoredMessage } from '../../../message/message.js';
import type { TopicPartition } from '../../broker.js';
import { nothingHeader } from '../../nothing.js';
import type { FetchedPartition, FetchedRecord } from './kafka-requests.js';
import { messageOf } from './message-form.js';

/** Kafka's number for: only what no open transaction may still take back. */
export const readCommitted = 1;

/** From `from` on. Below `nextOffset` everything was looked at: gaps of compaction and transactions hold nothing. */
export function readFetched(
  fetched: FetchedPartition,
  { topic, partition }: TopicPartition,
  from: bigint,
): { readonly messages: readonly StoredMessage[]; readonly nextOffset: bigint } {
  const messages: StoredMessage[] = [];
  for (const record of readable(fetched)) {
    if (BigInt(record.offset) < from || nothingHeader in record.headers) continue;
    messages.push(messageOf(record, topic, partition));
  }
  let nextOffset = from;
  for (const { offset, batchContext } of fetched.messages) {
    const end = batchContext
      ? BigInt(batchContext.firstOffset) + BigInt(batchContext.lastOffsetDelta) + 1n
      : BigInt(offset) + 1n;
    if (end > nextOffset) nextOffset = end;
  }
  return { messages, nextOffset };
}

/** Without control records, and without what an aborted transaction wrote: a control record ends its producer's. */
function* readable({ messages, abortedTransactions = [] }: FetchedPartition): Generator<FetchedRecord> {
  const begins = [...abortedTransactions].sort((a, b) => (BigInt(a.firstOffset) < BigInt(b.firstOffset) ? -1 : 1));
  const aborted = new Set<string>();
  for (const record of messages) {
    while (begins[0] !== undefined && BigInt(begins[0].firstOffset) <= BigInt(record.offset)) {
      aborted.add((begins.shift() as { producerId: string }).producerId);
    }
    const { producerId = '', inTransaction = false } = record.batchContext ?? {};
    if (record.isControlRecord) {
      // An abort marker's key ends with type 0; a commit ends nothing that was aborted.
      if (record.key?.readInt16BE(2) === 0) aborted.delete(producerId);
    } else if (!inTransaction || !aborted.has(producerId)) yield record;
  }
}
