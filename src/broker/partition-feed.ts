// Hands one partition's messages to one member, in order, one batch at a time, for as long as the member owns it.
import type { Clock, Timer } from '../message/clock.js';
import type { MessageBatch, TopicPartition } from './broker.js';
import {
  batchesPerTurn,
  maxBatchBytes,
  maxBatchMessages,
  type PartitionLog,
  type ReadResult,
  retryMs,
} from './partition-log.js';
import type { PartitionReaders } from './partition-readers.js';
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
  private retry: Timer | null = null;
  private started = false;
  private paused = false;
  private stopped = false;
  private running: Promise<void> | null = null;

  constructor(private readonly parts: PartitionFeedParts<M>) {
    this.offset = parts.start;
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
    return this.running === null ? this.standsAt : null;
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

  /** There may be something to read. Costs nothing while a run is under way: it reads to the end. */
  wake(): void {
    if (!this.started || this.paused || this.stopped || this.running !== null || this.retry !== null) return;
    if (this.following === null) this.begin(null);
  }

  passTo(offset: bigint): void {
    if (offset > this.offset) this.offset = offset;
  }

  follows(reader: SharedReader<M> | null): void {
    this.following = reader;
  }

  take(read: ReadResult): void {
    this.begin(read);
  }

  private begin(first: ReadResult | null): void {
    const running = this.run(first).finally(() => {
      // It may follow already, and have been handed the next.
      if (this.running !== running) return;
      this.running = null;
      // What was appended between the last read and here woke nobody.
      if (this.hasMore()) this.wake();
    });
    this.running = running;
  }

  /** No batch is handed over after the promise has resolved. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.following?.leave(this);
    this.retry?.cancel();
    await this.running;
  }

  private hasMore(): boolean {
    if (this.paused || this.stopped || this.retry !== null || this.following !== null) return false;
    return this.offset < this.parts.log.highWatermark(this.partition);
  }

  /** `first`: what was read for it already. */
  private async run(first: ReadResult | null): Promise<void> {
    const { partition, log, readers, deliver, failed, clock } = this.parts;
    // Leaves the caller's stack, so that an append is never held up by a delivery.
    await Promise.resolve();
    let ahead = first;
    for (let batches = 1; !this.paused && !this.stopped; batches += 1) {
      try {
        if (ahead === null && !this.wantsAll && readers.follow(this)) return;
        const read = ahead ?? log.read(partition, this.offset, maxBatchMessages, maxBatchBytes);
        ahead = null;
        if (read === null) return;
        await deliver({ ...partition, messages: read.messages, nextOffset: read.nextOffset });
        // Only now: a batch whose handler has failed comes again.
        this.offset = read.nextOffset;
        if (batches % batchesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        failed(error);
        this.retry = clock.setTimer(retryMs, () => {
          this.retry = null;
          this.wake();
        });
        return;
      }
    }
  }
}
