// Where a group begins in partitions that it takes over: its marks, or the oldest message.
import type { CommittedOffset, TopicPartition } from '../../broker.js';
import type { OffsetStore } from '../../offset-store.js';
import type { KafkaLink } from './kafka-link.js';
import type { OffsetCache } from './offset-cache.js';

export interface PlaceParts {
  /** Null: Kafka's own marks are all there are. */
  readonly offsetStore: OffsetStore | null;
  readonly report: (text: string, error: unknown) => void;
  /** Retention took so many before the group had settled them. */
  readonly taken: (messages: bigint) => void;
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

/** By `topic/partition`. The cache knows ends and marks exactly from here on. Rejects with whatever Kafka says. */
export async function startPlaces(
  link: KafkaLink,
  offsets: OffsetCache,
  group: string,
  wanted: readonly TopicPartition[],
  parts: PlaceParts,
): Promise<ReadonlyMap<string, CommittedOffset>> {
  const topics = [...Map.groupBy(wanted, ({ topic }) => topic)].map(([topic, own]) => ({
    topic,
    partitions: own.map(({ partition }) => partition),
  }));
  const { report, taken } = parts;
  const marks = await marksOf(link, offsets, group, topics);
  const [oldest, ends] = await Promise.all([link.offsets(topics, 'oldest'), link.offsets(topics, 'end')]);
  for (const row of ends) offsets.setEnd(row, row.offset);
  for (const mark of await storedMarks(group, wanted, parts)) {
    const name = nameOf(mark);
    const end = ends.find((row) => nameOf(row) === name)?.offset ?? 0n;
    // One behind the end is of another topic that had this name.
    if (mark.offset <= end && mark.offset > (marks.get(name)?.offset ?? -1n)) marks.set(name, mark);
  }
  const places = new Map<string, CommittedOffset>();
  for (const row of oldest) {
    offsets.setOldest(row, row.offset);
    const mark = marks.get(nameOf(row));
    if (mark !== undefined && mark.offset >= row.offset) {
      places.set(nameOf(row), mark);
      continue;
    }
    places.set(nameOf(row), { offset: row.offset, metadata: '' });
    if (mark === undefined) continue;
    const lost = row.offset - mark.offset;
    report(`${group}: retention took up to ${lost} messages of ${nameOf(row)} that were not settled`, undefined);
    taken(lost);
  }
  return places;
}

async function storedMarks(
  group: string,
  wanted: readonly TopicPartition[],
  { offsetStore, report }: PlaceParts,
): Promise<readonly (TopicPartition & CommittedOffset)[]> {
  try {
    return (await offsetStore?.load(group, wanted)) ?? [];
  } catch (error) {
    report(`${group}: the offset store does not answer, Kafka's own marks are used`, error);
    return [];
  }
}

async function marksOf(
  link: KafkaLink,
  offsets: OffsetCache,
  group: string,
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): Promise<Map<string, CommittedOffset>> {
  const node = await link.coordinatorOf(group);
  const { responses } = await node.offsetFetch({
    groupId: group,
    topics: topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map((partition) => ({ partition })),
    })),
  });
  const marks = new Map<string, CommittedOffset>();
  for (const { topic, partitions } of responses) {
    for (const { partition, offset, metadata } of partitions) {
      const mark = BigInt(offset);
      offsets.setMark(group, { topic, partition }, mark < 0n ? null : mark);
      if (mark >= 0n) marks.set(nameOf({ topic, partition }), { offset: mark, metadata: metadata ?? '' });
    }
  }
  return marks;
}
