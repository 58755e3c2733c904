// Hands one partition's messages to one member, in order, one batch at a time, for as long as the member owns it.
import type { Clock } from '../message/clock.js';
import type { MessageBatch, TopicPartition } from './broker.js';
import { maxBatchBytes, maxBatchMessages, type PartitionLog, type ReadResult } from './partition-log.js';
import type { PartitionReaders } from './partition-readers.js';
import { ReadingLoop } from './reading-loop.js';
import type { Follower, SharedReader } from './shared-reader.js';

export interface PartitionFeedParts<M> {
  /** Whose it is. */
  readonly member: M;
  readonly partition: TopicPartition;
  /** The first offset to hand over. */
  readonly start: bigint;
  readonly log: PartitionLog;
  readonly clock: Clock;
  readonly readers: PartitionReaders<M>;
  readonly deliver: (batch: MessageBatch) => void | Promise<void>;
  readonly failed: (error: unknown) => void;
}

export class PartitionFeed<M> implements Follower<M> {
  /** The partition belongs to somebody else, or to nobody. */
  isGone = false;
  private offset: bigint;
  private following: SharedReader<M> | null = null;
  /** It does not follow others. */
  private wantsAll = true;
  /** What was read for it already. */
  private ahead: ReadResult | null = null;
  private started = false;
  private paused = false;
  private stopped = false;
  private readonly loop: ReadingLoop;

  constructor(private readonly parts: PartitionFeedParts<M>) {
    this.offset = parts.start;
    this.loop = new ReadingLoop(parts.clock, {
      hasMore: () => this.hasMore(),
      step: () => this.readOn(),
      failed: parts.failed,
    });
  }

  get member(): M {
    return this.parts.member;
  }

  get partition(): TopicPartition {
    return this.parts.partition;
  }

  get place(): bigint {
    return this.offset;
  }

  /** Everything below was handed over, or is not wanted; null while a batch is under way. */
  get readTo(): bigint | null {
    return this.loop.isRunning ? null : this.standsAt;
  }

  get standsAt(): bigint {
    const position = this.following?.position ?? 0n;
    return position > this.offset ? position : this.offset;
  }

  /** Whether everything is wanted from here on. */
  adjust(wantsAll: boolean): void {
    this.wantsAll = wantsAll;
    this.parts.readers.wantsAll(this, wantsAll);
    if (!this.started) return;
    if (wantsAll) this.following?.leave(this);
    this.wake();
  }

  /** Nothing is handed over before. */
  start(): void {
    this.started = true;
    if (this.wantsAll || this.paused || this.stopped) this.wake();
    else this.parts.readers.begin(this);
  }

  pause(): void {
    this.paused = true;
    this.following?.leave(this);
  }

  resume(): void {
    this.paused = false;
    this.wake();
  }

  /** There may be something to read. */
  wake(): void {
    this.loop.wake();
  }

  passTo(offset: bigint): void {
    if (offset > this.offset) this.offset = offset;
  }

  follows(reader: SharedReader<M> | null): void {
    this.following = reader;
  }

  take(read: ReadResult): void {
    this.ahead = read;
    this.loop.wake();
  }

  /** No batch is handed over after the promise has resolved. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.following?.leave(this);
    await this.loop.stop();
  }

  /** One that does not want everything looks, at the end, whether it may follow others. */
  private hasMore(): boolean {
    if (!this.started || this.paused || this.stopped || this.following !== null) return false;
    return this.ahead !== null || !this.wantsAll || this.offset < this.parts.log.highWatermark(this.partition);
  }

  private readOn(): boolean | Promise<boolean> {
    const { partition, log, readers, deliver } = this.parts;
    const { ahead } = this;
    if (ahead === null && !this.wantsAll && readers.follow(this)) return false;
    const read = ahead ?? log.read(partition, this.offset, maxBatchMessages, maxBatchBytes);
    this.ahead = null;
    if (read === null) return false;
    const { messages, nextOffset } = read;
    const { topic, partition: number } = partition;
    const handed = deliver({ topic, partition: number, messages, nextOffset });
    if (handed === undefined) return this.handedOver(nextOffset);
    return handed.then(() => this.handedOver(nextOffset));
  }

  /** Only now: a batch whose handler has failed comes again. */
  private handedOver(nextOffset: bigint): true {
    this.offset = nextOffset;
    return true;
  }
}
