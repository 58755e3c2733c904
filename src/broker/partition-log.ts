// What the in-process group coordinator needs of a driver's log; the memory and embedded drivers have it.
import type { StoredMessage } from '../message/message.js';
import type { CommittedOffset, MessageBatch, TopicPartition } from './broker.js';

/** Small enough that a pause takes effect soon, large enough that a batch costs little a message. */
export const maxBatchMessages = 256;
export const maxBatchBytes = 1_048_576;

export interface ReadResult {
  readonly messages: readonly StoredMessage[];
  readonly nextOffset: bigint;
}

export interface PartitionLog {
  partitionsOf(topic: string): number;

  /** The oldest offset still kept, and the one after the newest that is readable. */
  startOffset(partition: TopicPartition): bigint;
  highWatermark(partition: TopicPartition): bigint;

  /** From `offset` on, at most about `maxBytes` of bodies but at least one message; null at the end. */
  read(partition: TopicPartition, offset: bigint, maxMessages: number, maxBytes: number): ReadResult | null;

  committed(group: string, partition: TopicPartition): CommittedOffset | null;
  commit(group: string, partition: TopicPartition, committed: CommittedOffset): Promise<void>;
}

/** Broker.fetch over such a log. */
export function fetchFrom(
  log: PartitionLog,
  partition: TopicPartition,
  offset: bigint,
  maxBytes = maxBatchBytes,
): MessageBatch {
  const read = log.read(partition, offset, maxBatchMessages, maxBytes);
  return { ...partition, messages: read?.messages ?? [], nextOffset: read?.nextOffset ?? offset };
}
