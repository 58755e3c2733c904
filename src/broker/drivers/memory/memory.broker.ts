// A broker that forgets everything when the process ends: for tests and for trying things out.
import type { Clock } from '../../../message/clock.js';
import { BigpipeError } from '../../../message/errors.js';
import { type Acks, type Message, type Position, type StoredMessage, weightOf } from '../../../message/message.js';
import { Partitioner } from '../../../message/partitioner.js';
import {
  Broker,
  type BrokerHealth,
  type CommittedOffset,
  type Durability,
  type GroupHandlers,
  type GroupLag,
  type Membership,
  type MessageBatch,
  notWanted,
  type PartitionLag,
  type TopicPartition,
  type TopicSpec,
} from '../../broker.js';
import { GroupCoordinator } from '../../group-coordinator.js';
import { fetchFrom, type PartitionLog, type ReadResult } from '../../partition-log.js';

interface Topic {
  readonly spec: TopicSpec;
  readonly partitions: Partition[];
}

interface Partition {
  start: number;
  /** Index 0 holds the message at offset `start`. */
  messages: StoredMessage[];
  readonly commits: Map<string, CommittedOffset>;
}

export interface MemoryBrokerOptions {
  /** Past this weight appends are refused as overloaded. */
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly report: (text: string, error: unknown) => void;
}

/** Keeps messages while they fit; then those go that every group which has committed in their partition has settled. */
export class MemoryBroker extends Broker implements PartitionLog {
  override readonly maxMetadataBytes = 16_384;
  override readonly appendsTogether = true;
  private readonly topics = new Map<string, Topic>();
  private readonly partitioner = new Partitioner();
  private readonly coordinator: GroupCoordinator;
  private bytes = 0;
  private closed = false;

  constructor(private readonly options: MemoryBrokerOptions) {
    super();
    this.coordinator = new GroupCoordinator(this, options.clock, options.report);
  }

  override async open(): Promise<void> {}

  override async ensureTopic(spec: TopicSpec): Promise<void> {
    const known = this.topics.get(spec.name);
    const partitions = known?.partitions ?? [];
    const before = partitions.length;
    while (partitions.length < spec.partitions) partitions.push({ start: 0, messages: [], commits: new Map() });
    this.topics.set(spec.name, { spec, partitions });
    if (before < partitions.length) await this.coordinator.topicChanged(spec.name);
  }

  override async append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]> {
    if (this.closed) throw new BigpipeError('closed', 'the broker is closed');
    if (isWanted?.() === false) throw notWanted();
    const weight = messages.reduce((sum, message) => sum + weightOf(message), 0);
    const targets = messages.map((message) => this.partitionFor(message));
    if (this.bytes + weight > this.options.maxBytes) this.removeSettled();
    if (this.bytes + weight > this.options.maxBytes) {
      throw new BigpipeError('overloaded', `the memory broker holds its ${this.options.maxBytes} bytes`);
    }
    this.bytes += weight;
    const timestampMs = this.options.clock.now();
    const positions = messages.map((message, i) => {
      const { number, partition } = targets[i] as { number: number; partition: Partition };
      const offset = BigInt(partition.start + partition.messages.length);
      partition.messages.push({ ...message, partition: number, offset, timestampMs });
      return { topic: message.topic, partition: number, offset };
    });
    for (const position of positions) this.coordinator.wake(position);
    return acks === 0 ? positions.map(() => null) : positions;
  }

  override durability(acks: Acks): Durability {
    return acks === 0 ? 'none' : 'memory';
  }

  override join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    return this.coordinator.join(group, topics, handlers);
  }

  override async fetch({ topic, partition }: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    return fetchFrom(this, { topic, partition }, offset, maxBytes);
  }

  override lag(group: string, topic: string): PartitionLag[] {
    return this.topic(topic).partitions.map((_, number) => {
      const partition = { topic, partition: number };
      const committed = this.committed(group, partition)?.offset ?? null;
      const highWatermark = this.highWatermark(partition);
      return {
        ...partition,
        committed,
        highWatermark,
        lag: highWatermark - (committed ?? this.startOffset(partition)),
      };
    });
  }

  override async groupLags(): Promise<readonly GroupLag[]> {
    if (this.closed) throw new BigpipeError('closed', 'the broker is closed');
    return [...this.topics].flatMap(([topic, { partitions }]) =>
      partitions.flatMap(({ commits }, partition) =>
        [...commits].map(([group, { offset }]) => {
          const highWatermark = this.highWatermark({ topic, partition });
          return { group, topic, partition, committed: offset, highWatermark, lag: highWatermark - offset };
        }),
      ),
    );
  }

  override async check(): Promise<readonly string[]> {
    return [];
  }

  override health(): BrokerHealth {
    return { ok: !this.closed, detail: this.closed ? 'closed' : `${this.bytes} bytes in memory` };
  }

  override async close(): Promise<void> {
    this.closed = true;
    await this.coordinator.close();
  }

  partitionsOf(topic: string): number {
    return this.topic(topic).partitions.length;
  }

  startOffset(partition: TopicPartition): bigint {
    return BigInt(this.partition(partition).start);
  }

  highWatermark(partition: TopicPartition): bigint {
    const { start, messages } = this.partition(partition);
    return BigInt(start + messages.length);
  }

  read(partition: TopicPartition, offset: bigint, maxMessages: number, maxBytes: number): ReadResult | null {
    const { start, messages } = this.partition(partition);
    const from = Math.max(0, Number(offset) - start);
    let to = from;
    let bytes = 0;
    while (to < messages.length && to - from < maxMessages && (to === from || bytes < maxBytes)) {
      bytes += (messages[to] as StoredMessage).body.length;
      to += 1;
    }
    if (to === from) return null;
    return { messages: messages.slice(from, to), nextOffset: BigInt(start + to) };
  }

  committed(group: string, partition: TopicPartition): CommittedOffset | null {
    return this.partition(partition).commits.get(group) ?? null;
  }

  async commit(group: string, at: TopicPartition, committed: CommittedOffset): Promise<void> {
    this.partition(at).commits.set(group, committed);
  }

  /** Makes room: what every group has settled goes. */
  private removeSettled(): void {
    for (const { partitions } of this.topics.values()) {
      for (const partition of partitions) {
        if (partition.commits.size === 0) continue;
        const settled = Math.min(...[...partition.commits.values()].map(({ offset }) => Number(offset)));
        const gone = partition.messages.splice(0, Math.max(0, settled - partition.start));
        partition.start += gone.length;
        for (const message of gone) this.bytes -= weightOf(message);
      }
    }
  }

  private partitionFor(message: Message): { number: number; partition: Partition } {
    const { spec, partitions } = this.topic(message.topic);
    const number = message.partition ?? this.partitioner.choose(message.key, spec.partitions);
    return { number, partition: this.partition({ topic: message.topic, partition: number }, partitions) };
  }

  private topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new BigpipeError('unknown-topic', `there is no topic ${name}`);
    return topic;
  }

  private partition(at: TopicPartition, partitions = this.topic(at.topic).partitions): Partition {
    const partition = partitions[at.partition];
    if (partition === undefined) {
      throw new BigpipeError('unknown-partition', `topic ${at.topic} has no partition ${at.partition}`);
    }
    return partition;
  }
}
