// The broker for one machine: a partitioned durable log on SQLite, with consumer groups inside the process.
import type { Clock, Timer } from '../../../message/clock.js';
import { BigpipeError } from '../../../message/errors.js';
import type { Acks, Message, Position, StoredMessage } from '../../../message/message.js';
import { Partitioner } from '../../../message/partitioner.js';
import { Histogram } from '../../../stats/metrics/histogram.js';
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
  type Retention,
  type TopicPartition,
  type TopicSpec,
} from '../../broker.js';
import { GroupCoordinator } from '../../group-coordinator.js';
import type { LocalMembership } from '../../local-membership.js';
import type { LogContents, MovableLog } from '../../moving/movable-log.js';
import { fetchFrom, type PartitionLog, type ReadResult } from '../../partition-log.js';
import type { PartitionReaders } from '../../partition-readers.js';
import { GroupCommit } from './group-commit.js';
import { LogReader } from './log-reader.js';
import type { LogStore, RetentionFloor } from './log-store.js';
import { Tail } from './tail.js';
import type { WritablePartition } from './write-layout.js';

/** How often retention looks; what it finds then goes in short transactions between the writes. */
const retentionIntervalMs = 10_000;
/** While the log is full. */
const fullRetentionIntervalMs = 1000;

/** What a group finds in place of its own metadata when its mark is damaged: it begins at the oldest message. */
const damagedMark = 'damaged';

interface GroupMark {
  readonly committed: CommittedOffset;
  readonly seenMs: number;
}

interface Partition extends WritablePartition {
  start: number;
  /** Everything below it is durable and may be read. */
  readable: number;
  readonly tail: Tail;
  /** Kept here, so that nothing is looked for where each message is alone in its partition; undefined: nobody has read it yet. */
  readers: PartitionReaders<LocalMembership> | undefined;
  readonly marks: Map<string, GroupMark>;
}

interface Topic {
  readonly id: number;
  /** The modulus that chooses a key's partition; there may be more partitions on disk. */
  readonly modulus: number;
  readonly retention: Retention;
  readonly partitions: Partition[];
}

export interface EmbeddedBrokerOptions {
  readonly fsync: boolean;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly retentionHardMs: number;
  readonly offsetsRetentionMs: number;
  /** Bytes of newest messages kept in memory, shared evenly by all partitions. */
  readonly tailBytes: number;
  readonly clock: Clock;
  /** Says what went wrong where nobody waits for an answer. */
  readonly report: (text: string, error: unknown) => void;
}

export interface EmbeddedCounters {
  damagedRanges: number;
  damagedMessages: number;
  /** Messages that the hard limit took before every group had settled them. */
  unsettledRemoved: number;
  /** Messages of acks 0 that could not be written: nobody was told. */
  unacknowledgedLost: number;
}

export class EmbeddedBroker extends Broker implements PartitionLog, MovableLog {
  override readonly maxMetadataBytes = 16_384;
  override readonly appendsTogether = true;
  readonly counters: EmbeddedCounters = {
    damagedRanges: 0,
    damagedMessages: 0,
    unsettledRemoved: 0,
    unacknowledgedLost: 0,
  };
  /** Of writes with their syncs. */
  readonly writeTimes = new Histogram();
  private readonly topics = new Map<string, Topic>();
  /** By the store's ids. */
  private readonly names = new Map<number, string>();
  private readonly partitioner = new Partitioner();
  private readonly coordinator: GroupCoordinator;
  private readonly writes: GroupCommit;
  private readonly reader: LogReader;
  private partitionCount = 0;
  private state: 'new' | 'open' | 'closing' | 'closed' = 'new';
  private stopped: BigpipeError | null = null;
  private isFull = false;
  private nextLossReportMs = 0;
  private retentionTimer: Timer | null = null;
  private retaining: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: LogStore,
    private readonly options: EmbeddedBrokerOptions,
  ) {
    super();
    this.coordinator = new GroupCoordinator(this, options.clock, options.report);
    this.reader = new LogReader(
      store,
      options.clock,
      (range) => {
        this.counters.damagedRanges += 1;
        this.counters.damagedMessages += range.last - range.first + 1;
      },
      options.report,
    );
    this.writes = new GroupCommit(store, options.clock, {
      stored: (partition, messages) => this.becameReadable(partition as Partition, messages),
      committed: (partition, group, committed) => {
        (partition as Partition).marks.set(group, { committed, seenMs: options.clock.now() });
      },
      wrote: (durationMs) => this.writeTimes.observe(durationMs / 1000),
      full: () => this.becameFull(),
      stopped: (error) => {
        this.stopped = error;
        options.report('the log has stopped: nothing can be stored until bigpipe is started again', error);
      },
    });
  }

  override async open(): Promise<void> {
    const stored = await this.store.open();
    for (const { id, name, partitions, retention } of stored.topics) {
      this.topics.set(name, { id, modulus: partitions, retention, partitions: [] });
      this.names.set(id, name);
    }
    for (const { topicId, partition, start, end } of stored.partitions) {
      const name = this.names.get(topicId) as string;
      const topic = this.topic(name);
      const of = { name, topicId, retention: topic.retention };
      topic.partitions[partition] = this.newPartition(of, partition, start, end);
    }
    for (const { topicId, partition, group, committed, seenMs } of stored.commits) {
      const owned = this.partitionAt(topicId, partition);
      const begun = { offset: BigInt(owned?.start ?? 0), metadata: damagedMark };
      owned?.marks.set(group, { committed: committed ?? begun, seenMs });
    }
    this.state = 'open';
    this.isFull = stored.isFull;
    for (const damage of stored.damage) {
      this.counters.damagedRanges += 1;
      this.options.report(damage, undefined);
    }
    this.scheduleRetention();
  }

  override async ensureTopic({ name, partitions, retention }: TopicSpec): Promise<void> {
    this.mustBeOpen();
    const known = this.topics.get(name);
    const stored = await this.store.ensureTopic(name, partitions, retention);
    const list = known?.partitions ?? [];
    const before = list.length;
    const of = { name, topicId: stored.id, retention };
    while (list.length < stored.partitions) list.push(this.newPartition(of, list.length, 0, 0));
    this.topics.set(name, { id: stored.id, modulus: partitions, retention, partitions: list });
    this.names.set(stored.id, name);
    if (before > 0 && before !== partitions) {
      this.options.report(
        `topic ${name} had ${before} partitions and is now written to ${partitions}: keys change their partition, and order is kept only among messages appended from here on`,
        undefined,
      );
    }
    if (before < list.length) await this.coordinator.topicChanged(name);
  }

  override append(
    messages: readonly Message[],
    acks: Acks,
    isWanted?: () => boolean,
  ): Promise<readonly (Position | null)[]> {
    let targets: Partition[];
    let stored: Promise<readonly bigint[]>;
    try {
      this.mustBeOpen();
      if (isWanted?.() === false) throw notWanted();
      targets = messages.map((message) => this.partitionFor(message));
      stored = this.writes.append(messages, targets);
    } catch (error) {
      return Promise.reject(error);
    }
    if (acks !== 0) return stored.then((offsets) => positionsOf(targets, offsets));
    stored.catch((error) => this.lostUnacknowledged(messages.length, error));
    return Promise.resolve(messages.map(() => null));
  }

  override durability(acks: Acks): Durability {
    if (acks === 0) return 'none';
    return this.options.fsync ? 'disk' : 'page-cache';
  }

  override async join(group: string, topics: readonly string[], handlers: GroupHandlers): Promise<Membership> {
    this.mustBeOpen();
    return this.coordinator.join(group, topics, handlers);
  }

  override async fetch({ topic, partition }: TopicPartition, offset: bigint, maxBytes?: number): Promise<MessageBatch> {
    this.mustBeOpen();
    return fetchFrom(this, { topic, partition }, offset, maxBytes);
  }

  override lag(group: string, topic: string): PartitionLag[] {
    return this.topic(topic).partitions.map(({ partition, start, readable, marks }) => {
      const committed = marks.get(group)?.committed.offset ?? null;
      const highWatermark = BigInt(readable);
      return { topic, partition, committed, highWatermark, lag: highWatermark - (committed ?? BigInt(start)) };
    });
  }

  override async groupLags(): Promise<readonly GroupLag[]> {
    this.mustBeOpen();
    return [...this.topics.values()].flatMap(({ partitions }) =>
      partitions.flatMap(({ topic, partition, readable, marks }) =>
        [...marks].map(
          ([
            group,
            {
              committed: { offset },
            },
          ]) => {
            const highWatermark = BigInt(readable);
            return { group, topic, partition, committed: offset, highWatermark, lag: highWatermark - offset };
          },
        ),
      ),
    );
  }

  override check(): Promise<readonly string[]> {
    return this.store.check();
  }

  contents(): LogContents {
    const all = [...this.topics].map(([name, topic]) => ({ name, topic }));
    return {
      topics: all.map(({ name, topic: { retention, modulus, partitions } }) => ({
        name,
        retention,
        modulus,
        ends: partitions.map(({ readable }) => BigInt(readable)),
      })),
      marks: all.flatMap(({ name, topic: { partitions } }) =>
        partitions.flatMap(({ partition, start, marks }) =>
          [...marks]
            .map(([group, { committed }]) => ({ group, topic: name, partition, committed }))
            // A group that has only begun begins anywhere.
            .filter(({ committed: { offset, metadata } }) => offset > BigInt(start) || metadata !== ''),
        ),
      ),
    };
  }

  flushed(): Promise<void> {
    return this.writes.drained();
  }

  seal(why: string): Promise<void> {
    return this.store.seal(why);
  }

  /** True while there is room for nothing but marks, dead letters and retention. */
  get full(): boolean {
    return this.isFull;
  }

  override health(): BrokerHealth {
    if (this.state === 'open' && !this.store.isAlive) {
      return { ok: false, detail: 'the writer thread has ended', isDead: true };
    }
    if (this.stopped !== null) return { ok: false, detail: this.stopped.message };
    if (this.state !== 'open') return { ok: false, detail: this.state };
    if (this.isFull) return { ok: true, detail: 'full: calls are refused until there is room' };
    const { damagedMessages } = this.counters;
    return { ok: true, detail: damagedMessages === 0 ? 'open' : `open; ${damagedMessages} messages are damaged` };
  }

  override async close(): Promise<void> {
    if (this.state === 'closed' || this.state === 'closing') return;
    const wasOpen = this.state === 'open';
    this.state = 'closing';
    this.retentionTimer?.cancel();
    if (wasOpen) {
      await this.coordinator.close();
      await this.writes.drained();
      await this.retaining;
      await this.store.close();
    }
    this.state = 'closed';
  }

  partitionsOf(topic: string): number {
    return this.topic(topic).partitions.length;
  }

  startOffset(partition: TopicPartition): bigint {
    return BigInt(this.partition(partition).start);
  }

  highWatermark(partition: TopicPartition): bigint {
    return BigInt(this.partition(partition).readable);
  }

  read(at: TopicPartition, offset: bigint, maxMessages: number, maxBytes: number): ReadResult | null {
    const partition = this.partition(at);
    if (offset >= BigInt(partition.readable)) return null;
    const recent = partition.tail.read(offset, maxMessages, maxBytes);
    if (recent !== null) return { messages: recent, nextOffset: offset + BigInt(recent.length) };
    return this.reader.read(partition, Math.max(Number(offset), partition.start), maxMessages, maxBytes);
  }

  committed(group: string, partition: TopicPartition): CommittedOffset | null {
    return this.partition(partition).marks.get(group)?.committed ?? null;
  }

  commit(group: string, partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    return this.writes.commit(group, this.partition(partition), committed);
  }

  /** Nobody waits for the answer: it is counted, and told once a second. */
  private lostUnacknowledged(count: number, error: unknown): void {
    this.counters.unacknowledgedLost += count;
    const nowMs = this.options.clock.elapsedMs();
    if (nowMs < this.nextLossReportMs) return;
    this.nextLossReportMs = nowMs + 1000;
    const { unacknowledgedLost } = this.counters;
    this.options.report(`messages of acks 0 could not be stored, ${unacknowledgedLost} so far`, error);
  }

  private becameReadable(partition: Partition, messages: readonly StoredMessage[]): void {
    partition.readable = partition.end;
    partition.tail.push(messages);
    partition.readers ??= this.coordinator.knownReaders(partition);
    partition.readers?.wake();
  }

  private partitionFor(message: Message): Partition {
    const { modulus, partitions, retention } = this.topic(message.topic);
    // What is left is for dead letters: without them nothing would be settled, and no room made.
    if (this.isFull && retention !== 'keep') {
      throw new BigpipeError('storage-full', 'the log is full until retention, or more disk, makes room');
    }
    const number = message.partition ?? this.partitioner.choose(message.key, modulus);
    return this.partition({ topic: message.topic, partition: number }, partitions);
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

  private newPartition(
    { name: topic, topicId, retention }: { name: string; topicId: number; retention: Retention },
    partition: number,
    start: number,
    end: number,
  ): Partition {
    this.partitionCount += 1;
    const at = { topic, partition };
    // Copies for a subscription's own use.
    const isAside = retention === 'side';
    const tail = new Tail({
      maxBytes: () => this.options.tailBytes / this.partitionCount,
      readerCount: () => this.coordinator.readerCount(at),
      lowestPlace: (offset) => this.coordinator.lowestPlace(at, offset),
    });
    return {
      topicId,
      topic,
      partition,
      isAside,
      start,
      end,
      readable: end,
      tail,
      readers: undefined,
      marks: new Map(),
    };
  }

  private mustBeOpen(): void {
    if (this.state !== 'open') throw new BigpipeError('closed', `the broker is ${this.state}`);
  }

  private becameFull(): void {
    if (this.isFull) return;
    this.isFull = true;
    this.options.report('the log is full: calls are refused until there is room again', undefined);
    // While retention runs there is no timer; it comes back soon by itself.
    if (this.retentionTimer === null) return;
    this.retentionTimer.cancel();
    this.scheduleRetention();
  }

  private scheduleRetention(): void {
    const intervalMs = this.isFull ? fullRetentionIntervalMs : retentionIntervalMs;
    this.retentionTimer = this.options.clock.setTimer(intervalMs, () => {
      this.retentionTimer = null;
      this.retaining = this.retain().then(() => {
        if (this.state === 'open') this.scheduleRetention();
      });
    });
  }

  private async retain(): Promise<void> {
    const { retentionBytes, report } = this.options;
    try {
      for (let more = true; more && this.state === 'open' && this.stopped === null; ) {
        const result = await this.store.retain({
          floors: this.floors(),
          maxBytes: retentionBytes,
        });
        for (const { topicId, partition, start } of result.starts) this.startsAt(topicId, partition, start);
        if (result.unsettled > 0) {
          this.counters.unsettledRemoved += result.unsettled;
          report(
            `broker.embedded.retention.hard.ms took ${result.unsettled} messages that were not settled`,
            undefined,
          );
        }
        if (this.isFull && !result.isFull) report('there is room in the log again', undefined);
        this.isFull = result.isFull;
        more = result.more;
        // What was asked of the writer meanwhile goes first.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      // The store has given up its reserve.
      if (error instanceof BigpipeError && error.code === 'storage-full') this.isFull = true;
      report('retention failed and will be tried again', error);
    }
  }

  /** Below the floor of a partition every group that still counts has settled everything. */
  private floors(): RetentionFloor[] {
    const groupsCountFrom = this.options.clock.now() - this.options.offsetsRetentionMs;
    return [...this.topics.values()].flatMap(({ partitions, retention }) =>
      // Where nothing is kept nothing can go.
      partitions
        .filter(({ start, end }) => start < end)
        .map(({ topicId, topic, partition, start, readable, marks }) => {
          let settled = retention === 'keep' && marks.size === 0 ? start : readable;
          for (const [group, { committed, seenMs }] of marks) {
            // What stands in a topic of a subscription's own waits for its group, however long that is away.
            const isGone = seenMs < groupsCountFrom && !this.coordinator.isActive(group, topic);
            if (isGone && retention === 'standard') continue;
            settled = Math.min(settled, Number(committed.offset));
          }
          return { topicId, partition, settled, ...this.ages(retention) };
        }),
    );
  }

  /** From when on chunks are kept, settled or not; what stands in side topics nobody else will read. */
  private ages(retention: Retention): Pick<RetentionFloor, 'settledBeforeMs' | 'anyBeforeMs'> {
    const { clock, retentionMs, retentionHardMs } = this.options;
    const nowMs = clock.now();
    if (retention !== 'standard') return { settledBeforeMs: nowMs, anyBeforeMs: 0 };
    return { settledBeforeMs: nowMs - retentionMs, anyBeforeMs: retentionHardMs === 0 ? 0 : nowMs - retentionHardMs };
  }

  private startsAt(topicId: number, number: number, start: number): void {
    const partition = this.partitionAt(topicId, number);
    if (partition !== undefined) partition.start = start;
  }

  private partitionAt(topicId: number, number: number): Partition | undefined {
    return this.topics.get(this.names.get(topicId) ?? '')?.partitions[number];
  }
}

function positionsOf(targets: readonly Partition[], offsets: readonly bigint[]): Position[] {
  return targets.map(({ topic, partition }, i) => ({ topic, partition, offset: offsets[i] as bigint }));
}
