// The broker on Apache Kafka: the same promises, on many machines.
import kafkajs, { type Kafka } from 'kafkajs';
import type { KafkaBrokerSettings } from '../../../config-watch/settings.js';
import type { Clock } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { Acks, Message, Position } from '../../../message/message.js';
import { Partitioner } from '../../../message/partitioner.js';
import type { ThisNode } from '../../../message/this-node.js';
import {
  Broker,
  type BrokerHealth,
  type Durability,
  type GroupHandlers,
  type GroupLag,
  type GroupNode,
  type Membership,
  type MessageBatch,
  type PartitionLag,
  type TopicPartition,
  type TopicSpec,
} from '../../broker.js';
import type { OffsetStore } from '../../offset-store.js';
import { goPartition } from './go-form.js';
import { asBigpipeError } from './kafka-errors.js';
import { KafkaLink, newKafka } from './kafka-link.js';
import { KafkaMembership, type MembershipRow } from './kafka-membership.js';
import { type AppendTarget, KafkaProducer } from './kafka-producer.js';
import { lookUp } from './look-up.js';
import { recordOf } from './message-form.js';
import { OffsetCache } from './offset-cache.js';
import { OffsetWatch } from './offset-watch.js';
import { otherNodes } from './other-nodes.js';
import { TopicTable } from './topic-table.js';
import { WholeView } from './whole-view.js';

/** A topic that was made a moment ago is not known to every node yet, and one of them may be frozen. */
const topicBoundMs = 30_000;
/** How long one look into a partition is tried. */
const maxBatchBytes = 524_288;
const fetchBoundMs = 5000;
/** How long it is asked who the members of a group are. */
const describeBoundMs = 2000;

const durabilityOf = { 0: 'none', 1: 'leader', [-1]: 'replicas' } as const;
const codecOf = { none: 'None', gzip: 'GZIP', zstd: 'ZSTD' } as const;

export interface KafkaBrokerOptions {
  readonly settings: KafkaBrokerSettings;
  readonly clock: Clock;
  /** Which process this is, for the others of its groups; null: they are not told. */
  readonly node?: ThisNode | null;
  /** A second place for marks; absent: Kafka's own are all there are. */
  readonly offsetStore?: OffsetStore;
  /** Error undefined: what is told does no harm by itself. */
  readonly report: (text: string, error: unknown) => void;
}

/** For /stats. */
export interface KafkaCounters {
  readonly connected: boolean;
  readonly lastError: string;
  readonly waitingBytes: number;
  readonly unacknowledgedLost: number;
  /** What Kafka's retention took before a group had settled it. */
  readonly retentionLost: number;
  /** Fetches that found a batch that cannot be read. */
  readonly unreadable: number;
  readonly members: readonly MembershipRow[];
}

export class KafkaBroker extends Broker {
  override readonly maxMetadataBytes: number;
  override readonly appendsTogether = false;
  private readonly kafka: Kafka;
  /** For marks, ends and topics. */
  private readonly link: KafkaLink;
  private readonly appendLink: KafkaLink;
  private readonly topics: TopicTable;
  private readonly whole: WholeView;
  private readonly offsets = new OffsetCache();
  private readonly partitioner = new Partitioner();
  private readonly producers = new Map<Acks, KafkaProducer>();
  private readonly members = new Set<KafkaMembership>();
  private readonly watch: OffsetWatch;
  private lastError = '';
  private retentionLost = 0;
  private unreadable = 0;
  private state: 'new' | 'open' | 'closed' = 'new';
  private closing: Promise<void> | null = null;

  constructor(private readonly options: KafkaBrokerOptions) {
    super();
    const { settings, clock, report } = options;
    this.maxMetadataBytes = settings.maxMetadataBytes;
    this.kafka = newKafka(settings);
    this.link = new KafkaLink(this.kafka, clock);
    this.appendLink = new KafkaLink(this.kafka, clock);
    this.whole = new WholeView(() => new KafkaLink(this.kafka, clock));
    options.node?.follow(() => {
      for (const member of this.members) member.grown();
    });
    this.topics = new TopicTable(this.link, settings, (text) => report(text, undefined));
    this.watch = new OffsetWatch(this.link, this.topics, this.offsets, clock, {
      lost: (error) => report('Kafka does not answer', error),
      failed: (error) => this.failed(error),
      warn: (text) => report(text, undefined),
    });
  }

  override async open(): Promise<void> {
    const { servers } = this.options.settings;
    try {
      await this.link.open();
      await this.appendLink.open();
    } catch (error) {
      await Promise.all([this.link.close(), this.appendLink.close()]);
      throw asBigpipeError(error, `no node answers at kafka.bootstrap.servers (${servers.join(', ')})`);
    }
    this.state = 'open';
    this.watch.start();
  }

  override async ensureTopic(spec: TopicSpec): Promise<void> {
    const before = this.topics.has(spec.name) ? this.topics.get(spec.name).partitions : 0;
    const count = await this.topics.ensure(spec);
    try {
      await this.appendLink.insist(topicBoundMs, () => this.appendLink.watch([spec.name]));
      if (before > 0) await this.appendLink.insist(topicBoundMs, () => this.appendLink.refreshNow());
      await this.link.insist(topicBoundMs, () => this.watch.refreshEnds([spec.name]));
    } catch (error) {
      throw asBigpipeError(error, `topic ${spec.name} cannot be read`);
    }
    if (before === 0 || before === count) return;
    for (const member of this.members) if (member.topics.includes(spec.name)) member.grown();
  }

  override async append(
    messages: readonly Message[],
    acks: Acks,
    isWanted: () => boolean = () => true,
  ): Promise<readonly (Position | null)[]> {
    this.mustBeOpen();
    const targets = messages.map((message) => this.targetOf(message));
    if (targets.length === 0) return [];
    const isPatient = messages.every(({ topic }) => this.topics.get(topic).spec.retention !== 'standard');
    const written = this.producerFor(acks).append(targets, isPatient, isWanted);
    if (acks === 0) {
      written.catch((error: unknown) => this.failed(error));
      return targets.map(() => null);
    }
    const offsets = await written;
    return targets.map(({ message: { topic }, partition }, i) => {
      const offset = offsets[i] ?? null;
      return offset === null ? null : { topic, partition, offset };
    });
  }

  override durability(acks: Acks): Durability {
    return durabilityOf[acks];
  }

  override async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    this.mustBeOpen();
    for (const topic of topics) this.topics.get(topic);
    const { settings, clock, node = null, offsetStore = null, report } = this.options;
    const membership = new KafkaMembership(
      {
        link: new KafkaLink(this.kafka, clock),
        shared: this.link,
        offsets: this.offsets,
        clock,
        session: { group, topics, ...settings.consumer },
        node,
        offsetStore,
        fetch: settings.consumer,
        report: (text, error) => {
          if (error !== undefined) this.lastError = textOf(error);
          report(text, error);
        },
        taken: (messages) => {
          this.retentionLost += Number(messages);
        },
        unreadable: () => {
          this.unreadable += 1;
        },
        left: (member) => this.left(member),
      },
      handlers,
    );
    this.members.add(membership);
    await membership.start();
    return membership;
  }

  override async fetch(partition: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    this.mustBeOpen();
    const { topic, partition: number } = partition;
    const isOurs = this.topics.has(topic);
    try {
      const partitions = isOurs ? this.topics.get(topic).partitions : await this.whole.partitionsOf(topic);
      if (partitions === 0) throw new BigpipeError('unknown-topic', `there is no topic ${topic}`);
      if (number < 0 || number >= partitions) {
        throw new BigpipeError('unknown-partition', `topic ${topic} has no partition ${number}`);
      }
      const place = { topic, partition: number };
      if (!isOurs) return await this.whole.fetch(place, offset, maxBytes);
      return await this.link.insist(fetchBoundMs, () => lookUp(this.link, place, offset, maxBytes));
    } catch (error) {
      throw asBigpipeError(error, `${topic}/${number} cannot be read`);
    }
  }

  override lag(group: string, topic: string): PartitionLag[] {
    return this.offsets.rows(group, topic, this.topics.get(topic).partitions);
  }

  override async groupLags(): Promise<readonly GroupLag[]> {
    this.mustBeOpen();
    try {
      return await this.whole.groupLags();
    } catch (error) {
      throw asBigpipeError(error, 'the marks of its groups cannot be read');
    }
  }

  override async otherNodes(group: string): Promise<readonly GroupNode[]> {
    this.mustBeOpen();
    try {
      return await this.link.insist(describeBoundMs, () => otherNodes(this.link, group, this.options.node?.id ?? ''));
    } catch (error) {
      throw new BigpipeError('unavailable', `Kafka does not say who reads for ${group}: ${textOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Kafka checks what it stores itself; this names what nobody leads. */
  override async check(): Promise<readonly string[]> {
    await this.link.refresh();
    const faults: string[] = [];
    for (const [name, { partitions }] of this.topics.all()) {
      for (let partition = 0; partition < partitions; partition++) {
        if (this.link.leaderOf(name, partition) === null)
          faults.push(`${name}/${partition}: no node of Kafka leads it`);
      }
    }
    return faults;
  }

  override health(): BrokerHealth {
    if (this.state === 'closed') return { ok: false, detail: 'closed' };
    if (this.state === 'new') return { ok: false, detail: 'not open yet' };
    const { connected } = this.watch;
    const detail = connected ? 'connected to Kafka' : `Kafka does not answer: ${this.lastError}`;
    return { ok: connected, detail };
  }

  get counters(): KafkaCounters {
    const producers = [...this.producers.values()];
    return {
      connected: this.watch.connected,
      lastError: this.lastError,
      waitingBytes: producers.reduce((sum, { bytes }) => sum + bytes, 0),
      unacknowledgedLost: producers.reduce((sum, { lost }) => sum + lost, 0),
      retentionLost: this.retentionLost,
      unreadable: this.unreadable,
      members: [...this.members].map(({ row }) => row),
    };
  }

  override close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    const wasOpen = this.state === 'open';
    this.state = 'closed';
    this.watch.stop();
    if (!wasOpen) return;
    await Promise.all([...this.producers.values()].map((producer) => producer.close()));
    await Promise.all([...this.members].map((member) => member.leave()));
    await Promise.all([this.link.close(), this.appendLink.close(), this.whole.close()]);
  }

  private mustBeOpen(): void {
    if (this.state !== 'open') throw new BigpipeError('closed', 'the broker is closed');
  }

  private targetOf(message: Message): AppendTarget {
    const { spec, partitions } = this.topics.get(message.topic);
    const { format } = this.options.settings;
    const form = spec.retention === 'standard' ? format : 'bigpipe';
    const partition = message.partition ?? this.choose(message.key, spec.partitions, form === 'bigpipe-go');
    if (partition < 0 || partition >= partitions) {
      throw new BigpipeError('unknown-partition', `topic ${message.topic} has no partition ${partition}`);
    }
    return { message, partition, record: recordOf(message, partition, form, this.options.clock.now()) };
  }

  private choose(key: Buffer | null, partitions: number, asGo: boolean): number {
    return asGo && key !== null
      ? goPartition(key.toString('utf8'), partitions)
      : this.partitioner.choose(key, partitions);
  }

  private producerFor(acks: Acks): KafkaProducer {
    let producer = this.producers.get(acks);
    if (producer === undefined) {
      const { settings, clock } = this.options;
      const { compression, ...rest } = settings.producer;
      producer = new KafkaProducer(
        this.appendLink,
        clock,
        {
          acks,
          compression: kafkajs.CompressionTypes[codecOf[compression]],
          maxBatchBytes: Math.min(maxBatchBytes, Math.floor(settings.maxMessageBytes / 2)),
          ...rest,
        },
        {
          stored: (topic, partition, end) => this.offsets.raiseEnd({ topic, partition }, end),
          failed: (error) => this.failed(error),
        },
      );
      this.producers.set(acks, producer);
    }
    return producer;
  }

  private left(member: KafkaMembership): void {
    this.members.delete(member);
    if (![...this.members].some(({ group }) => group === member.group))
      this.offsets.forget(member.group, member.topics);
  }

  private failed(error: unknown): void {
    this.lastError = textOf(error);
  }
}
