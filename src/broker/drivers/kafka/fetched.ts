// What a fetch brought of a partition: the messages of it, and how far it reaches.
import type { StoredMessage } from '../../../message/message.js';
import type { TopicPartition } from '../../broker.js';
import { nothingHeader } from '../../nothing.js';
import type { FetchedBatch, FetchedPartition } from './kafka-requests.js';
import { messageOf } from './message-form.js';

/** Kafka's number for: only what no open transaction may still take back. */
export const readCommitted = 1;

/** From `from` on; throws where the first batch there cannot be read. Below `nextOffset` everything was looked at: gaps of compaction and transactions hold nothing. */
export function readFetched(
  fetched: FetchedPartition,
  { topic, partition }: TopicPartition,
  from: bigint,
): { readonly messages: readonly StoredMessage[]; readonly nextOffset: bigint } {
  if (fetched.batches.length === 0 && fetched.fault !== null) throw fetched.fault;
  const messages: StoredMessage[] = [];
  for (const { records } of readable(fetched)) {
    for (const record of records) {
      if (record.offset < from || nothingHeader in record.headers) continue;
      messages.push(messageOf(record, topic, partition));
    }
  }
  const end = fetched.batches.at(-1)?.endOffset ?? from;
  return { messages, nextOffset: end > from ? end : from };
}

/** Without the ends of transactions, and without what one that was taken back wrote: its end is its producer's next one. */
function* readable({ batches, aborted }: FetchedPartition): Generator<FetchedBatch> {
  const begins = aborted.toSorted((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const takenBack = new Set<bigint>();
  for (const batch of batches) {
    while (begins[0] !== undefined && begins[0].firstOffset < batch.endOffset) {
      takenBack.add((begins.shift() as { producerId: bigint }).producerId);
    }
    const { producerId, isTransactional, isControl, records } = batch;
    if (isControl) {
      // An abort's key ends with type 0; a commit ends nothing that was taken back.
      if (records[0]?.key?.readInt16BE(2) === 0) takenBack.delete(producerId);
    } else if (!isTransactional || !takenBack.has(producerId)) yield batch;
  }
}
