// A look at a whole Kafka, also at groups and topics that are not bigpipe's: ends minus marks, asked of its nodes.
import type { GroupLag, MessageBatch, TopicPartition } from '../../broker.js';
import { typeOf } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';
import { lookUp } from './look-up.js';

/** Of so many groups at once the marks are asked for. */
const groupsAtOnce = 20;
/** More are not looked at. */
const maxGroups = 5000;

interface Mark extends TopicPartition {
  readonly group: string;
  readonly committed: bigint;
}

/**
 * Has a link of its own, opened at the first look: it comes to know topics that others may delete at any time, after which a
 * link cannot ask who leads what. One that has failed is closed, and the next look opens another.
 */
export class WholeView {
  private link: Promise<KafkaLink> | null = null;
  private isClosed = false;

  constructor(private readonly newLink: () => KafkaLink) {}

  /** Rejects with whatever Kafka says. Leaves out groups that may not be looked at, and topics that are gone. */
  groupLags(): Promise<GroupLag[]> {
    return this.look(readGroupLags);
  }

  /** 0 for a topic that is not there. */
  partitionsOf(topic: string): Promise<number> {
    return this.look((link) => countOf(link, topic));
  }

  /** The topic must be there. */
  fetch(partition: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    return this.look((link) => lookUp(link, partition, offset, maxBytes));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.forget();
  }

  /** A second time over a new link, when the first one failed. */
  private async look<T>(ask: (link: KafkaLink) => Promise<T>): Promise<T> {
    try {
      return await ask(await this.opened());
    } catch (error) {
      await this.forget();
      if (this.isClosed) throw error;
    }
    try {
      return await ask(await this.opened());
    } catch (error) {
      await this.forget();
      throw error;
    }
  }

  private opened(): Promise<KafkaLink> {
    this.link ??= open(this.newLink());
    return this.link;
  }

  private async forget(): Promise<void> {
    const link = await this.link?.catch(() => null);
    this.link = null;
    await link?.close();
  }
}

async function open(link: KafkaLink): Promise<KafkaLink> {
  try {
    await link.open();
    return link;
  } catch (error) {
    await link.close();
    throw error;
  }
}

async function readGroupLags(link: KafkaLink): Promise<GroupLag[]> {
  const groups = await groupsOf(link);
  const marks: Mark[] = [];
  for (let i = 0; i < groups.length; i += groupsAtOnce) {
    const some = groups.slice(i, i + groupsAtOnce);
    marks.push(...(await Promise.all(some.map((group) => marksOf(link, group)))).flat());
  }
  // After the marks, which can only grow meanwhile: no group seems to be ahead of its log.
  const ends = await endsOf(link, marks);
  return marks.flatMap(({ group, topic, partition, committed }) => {
    const highWatermark = ends.get(topic)?.get(partition);
    if (highWatermark === undefined) return [];
    const lag = highWatermark > committed ? highWatermark - committed : 0n;
    return [{ group, topic, partition, committed, highWatermark, lag }];
  });
}

/** Each node knows those that it coordinates. */
async function groupsOf(link: KafkaLink): Promise<string[]> {
  const lists = await Promise.all(
    link.nodeIds.map(async (id) => {
      const node = await link.node(Number(id));
      return (await node.listGroups()).groups;
    }),
  );
  // Share groups and the like have no marks of this kind.
  const kinds = ['consumer', ''];
  const names = lists.flat().filter(({ protocolType }) => kinds.includes(protocolType));
  return [...new Set(names.map(({ groupId }) => groupId))].sort().slice(0, maxGroups);
}

async function marksOf(link: KafkaLink, group: string): Promise<Mark[]> {
  try {
    const node = await link.coordinatorOf(group);
    const { responses } = await node.offsetFetch({ groupId: group, topics: [] });
    return responses.flatMap(({ topic, partitions }) =>
      partitions
        .map(({ partition, offset }) => ({ group, topic, partition, committed: BigInt(offset) }))
        .filter(({ committed }) => committed >= 0n),
    );
  } catch (error) {
    link.forgetCoordinator(group);
    if (typeOf(error) === 'GROUP_AUTHORIZATION_FAILED') return [];
    throw error;
  }
}

async function endsOf(link: KafkaLink, marks: readonly Mark[]): Promise<Map<string, Map<number, bigint>>> {
  const partitionsOf = new Map<string, Set<number>>();
  for (const { topic, partition } of marks) {
    partitionsOf.set(topic, (partitionsOf.get(topic) ?? new Set()).add(partition));
  }
  await watchAll(link, [...partitionsOf.keys()]);
  const asked: { topic: string; partitions: number[] }[] = [];
  for (const [topic, numbers] of partitionsOf) {
    const count = await countOf(link, topic);
    // A topic that was made anew may have fewer.
    const partitions = [...numbers].filter((partition) => partition < count);
    if (partitions.length > 0) asked.push({ topic, partitions });
  }
  const ends = new Map<string, Map<number, bigint>>();
  if (asked.length === 0) return ends;
  for (const { topic, partition, offset } of await link.offsets(asked, 'end')) {
    ends.set(topic, (ends.get(topic) ?? new Map<number, bigint>()).set(partition, offset));
  }
  return ends;
}

/** With one question, unless one of them is gone. */
async function watchAll(link: KafkaLink, topics: readonly string[]): Promise<void> {
  if (topics.length === 0) return;
  await link.watch(topics).catch((error: unknown) => {
    if (!isOfTopic(error)) throw error;
  });
}

/** 0 for one that is gone, or may not be looked at. */
async function countOf(link: KafkaLink, topic: string): Promise<number> {
  try {
    await link.watch([topic]);
    return link.partitionsOf(topic);
  } catch (error) {
    if (isOfTopic(error)) return 0;
    throw error;
  }
}

const isOfTopic = (error: unknown) =>
  ['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED'].includes(typeOf(error));
