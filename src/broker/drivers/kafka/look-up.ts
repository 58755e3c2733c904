// One look into a partition, outside of any group.
import type { MessageBatch, TopicPartition } from '../../broker.js';
import { fetch } from './fetch.js';
import { readCommitted, readFetched } from './fetched.js';
import type { KafkaLink } from './kafka-link.js';

/** Of one look, if nothing is said. One larger message still comes. */
const looksBytes = 1_048_576;

/** From `offset` on, or from the oldest message if that is behind it. Rejects with whatever Kafka says. */
export async function lookUp(
  link: KafkaLink,
  partition: TopicPartition,
  offset: bigint,
  maxBytes = looksBytes,
): Promise<MessageBatch> {
  const { topic, partition: number } = partition;
  const asked = [{ topic, partitions: [number] }];
  const [[oldest], [end]] = await Promise.all([link.offsets(asked, 'oldest'), link.offsets(asked, 'end')]);
  const from = oldest !== undefined && oldest.offset > offset ? oldest.offset : offset;
  if (end === undefined || from >= end.offset) return { ...partition, messages: [], nextOffset: from };
  const leader = link.leaderOf(topic, number);
  if (leader === null) throw new Error('nobody leads it');
  const node = await link.node(leader);
  const { responses } = await fetch(node, {
    maxWaitTime: 0,
    minBytes: 0,
    maxBytes,
    isolationLevel: readCommitted,
    topics: [{ topic, partitions: [{ partition: number, fetchOffset: `${from}`, maxBytes }] }],
  });
  const fetched = responses[0]?.partitions[0];
  if (fetched === undefined) return { ...partition, messages: [], nextOffset: from };
  return { ...partition, ...readFetched(fetched, partition, from) };
}
