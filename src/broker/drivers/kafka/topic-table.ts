// The topics that this process knows: made at Kafka when missing, compared when there.
import kafkajs from 'kafkajs';
import { BigpipeError } from '../../../message/errors.js';
import type { TopicSpec } from '../../broker.js';
import { asBigpipeError, typeOf } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';

export interface TopicSettings {
  /** 0: three, or as many as there are nodes. */
  readonly replicationFactor: number;
  /** Largest message that a topic takes, with its key and headers. */
  readonly maxMessageBytes: number;
}

export interface KnownTopic {
  readonly spec: TopicSpec;
  /** As many as Kafka has; the spec's number chooses the partition of a key all the same. */
  readonly partitions: number;
  /** How long Kafka keeps a message, settled or not; null: for ever. */
  readonly retentionMs: number | null;
}

/** With three replicas an append that is answered stands on two of them. */
const replicas = 3;
const minInSync = 2;
/** For so long a node that died or froze, or has not heard of a new topic yet, is waited for. */
const ensureBoundMs = 30_000;

export class TopicTable {
  private readonly known = new Map<string, KnownTopic>();

  constructor(
    private readonly link: KafkaLink,
    private readonly settings: TopicSettings,
    private readonly warn: (text: string) => void,
  ) {}

  all(): IterableIterator<[string, KnownTopic]> {
    return this.known.entries();
  }

  get(name: string): KnownTopic {
    const topic = this.known.get(name);
    if (topic === undefined) throw new BigpipeError('unknown-topic', `there is no topic ${name}`);
    return topic;
  }

  has(name: string): boolean {
    return this.known.has(name);
  }

  /** Resolves to how many partitions there are; the topic is known from then on. */
  async ensure(spec: TopicSpec): Promise<number> {
    try {
      return await this.link.insist(ensureBoundMs, () => this.ensureOnce(spec));
    } catch (error) {
      throw asBigpipeError(error, `topic ${spec.name} cannot be made or read`);
    }
  }

  /** Every step finds what an earlier try has done. */
  private async ensureOnce(spec: TopicSpec): Promise<number> {
    const { name, partitions } = spec;
    const found = await this.find(name);
    if (found === null) await this.create(spec);
    else await this.compare(spec, found);
    const count = Math.max(found ?? 0, partitions);
    await this.link.watch([name]);
    if (this.link.partitionsOf(name) < count) throw new Error(`its ${count} partitions are not known everywhere yet`);
    const retentionMs = spec.retention === 'standard' ? await this.checkLimits(name) : null;
    this.known.set(name, { spec, partitions: this.link.partitionsOf(name), retentionMs });
    return count;
  }

  private async find(name: string): Promise<number | null> {
    try {
      const node = await this.link.anyNode();
      const { topicMetadata } = await node.metadata([name]);
      return topicMetadata[0]?.partitionMetadata.length ?? null;
    } catch (error) {
      if (typeOf(error) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
      throw error;
    }
  }

  private async create({ name, partitions, retention }: TopicSpec): Promise<void> {
    const wanted = this.settings.replicationFactor;
    const factor = wanted === 0 ? Math.min(replicas, this.link.nodeCount) : wanted;
    const entries = [{ name: 'max.message.bytes', value: `${this.settings.maxMessageBytes}` }];
    // With fewer replicas the loss of one node would stop the topic.
    entries.push({ name: 'min.insync.replicas', value: `${factor >= replicas ? minInSync : 1}` });
    if (wanted === 0 && factor === minInSync) {
      this.warn(`topic ${name} is made with ${factor} replicas: so many nodes are there now, three are better`);
    }
    if (retention !== 'standard') {
      entries.push({ name: 'retention.ms', value: '-1' }, { name: 'retention.bytes', value: '-1' });
    }
    const plan = { topic: name, numPartitions: partitions, replicationFactor: factor, configEntries: entries };
    const node = await this.link.anyNode();
    try {
      await node.createTopics({ topics: [plan] });
    } catch (error) {
      // Another process was faster.
      if (typeOf(error) !== 'TOPIC_ALREADY_EXISTS') throw error;
    }
  }

  /** Returns for how long it keeps a message. */
  private async checkLimits(name: string): Promise<number | null> {
    const node = await this.link.anyNode();
    const limits = await node.describeConfigs({
      resources: [
        { type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: ['retention.ms', 'max.message.bytes'] },
      ],
    });
    const entries = limits.resources[0]?.configEntries ?? [];
    const numberOf = (entry: string) => Number(entries.find(({ configName }) => configName === entry)?.configValue);
    const { maxMessageBytes } = this.settings;
    if (numberOf('max.message.bytes') < maxMessageBytes) {
      this.warn(
        `topic ${name} takes messages of ${numberOf('max.message.bytes')} bytes at most, http.server.max.body.size asks for ${maxMessageBytes}: longer calls are refused until its max.message.bytes is raised`,
      );
    }
    const retentionMs = numberOf('retention.ms');
    return retentionMs >= 0 ? retentionMs : null;
  }

  private async compare({ name, partitions }: TopicSpec, found: number): Promise<void> {
    if (found === partitions) return;
    const known = `topic ${name} has ${found} partitions at Kafka, the settings say ${partitions}`;
    const rule = `keys are spread over the ${partitions} of the settings`;
    if (found > partitions) {
      this.warn(`${known}: ${rule}; the others are read all the same`);
      return;
    }
    this.warn(`${known}: the missing ones are added, ${rule}, and what was stored before stays where it is`);
    const node = await this.link.anyNode();
    await node.createPartitions({ topicPartitions: [{ topic: name, count: partitions }] });
  }
}
