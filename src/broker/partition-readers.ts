// All feeds of one partition in this process: who reads by itself, and who follows one reader that reads for many.
import type { Clock } from '../message/clock.js';
import type { TopicPartition } from './broker.js';
import type { InterestIndex } from './interest-index.js';
import type { PartitionLog } from './partition-log.js';
import { type Follower, SharedReader } from './shared-reader.js';

export interface PartitionReadersParts<M> {
  readonly partition: TopicPartition;
  readonly log: PartitionLog;
  readonly clock: Clock;
  /** Of the topic. */
  readonly index: InterestIndex<M>;
  readonly failed: (error: unknown) => void;
}

export class PartitionReaders<M> {
  private readonly feeds = new Set<Follower<M>>();
  /** Those who want everything. */
  private readonly alone = new Set<Follower<M>>();
  /** Of those who have caught up with the partition's end. */
  private readonly atEnd: SharedReader<M>;
  /** Of those who were behind when they began: they hold up each other, and nobody who is at the end. */
  private readonly behind: SharedReader<M>;

  constructor(private readonly parts: PartitionReadersParts<M>) {
    this.atEnd = new SharedReader(parts);
    this.behind = new SharedReader({ ...parts, passed: (reader) => this.haveCaughtUp(reader) });
  }

  get count(): number {
    return this.feeds.size;
  }

  /** The lowest place among those who have come as far as `offset`; null: nobody has. */
  lowestPlace(offset: bigint): bigint | null {
    let lowest: bigint | null = null;
    for (const feed of this.feeds) {
      const { standsAt } = feed;
      if (standsAt >= offset && (lowest === null || standsAt < lowest)) lowest = standsAt;
    }
    return lowest;
  }

  add(feed: Follower<M>): void {
    this.feeds.add(feed);
    this.alone.add(feed);
  }

  delete(feed: Follower<M>): void {
    this.feeds.delete(feed);
    this.alone.delete(feed);
  }

  /** The feed wants everything from now on, or no longer does. */
  wantsAll(feed: Follower<M>, wantsAll: boolean): void {
    if (wantsAll && this.feeds.has(feed)) this.alone.add(feed);
    else this.alone.delete(feed);
  }

  /** The partition has grown. */
  wake(): void {
    for (const feed of this.alone) feed.wake();
    if (!this.atEnd.isEmpty) this.atEnd.wake();
  }

  /** False for a feed that is behind and has to catch up by itself. */
  follow(feed: Follower<M>): boolean {
    return this.atEnd.join(feed);
  }

  /** It has not read anything yet: what others have to read as well is read once. */
  begin(feed: Follower<M>): void {
    if (!this.follow(feed)) this.behind.joinFrom(feed);
  }

  private haveCaughtUp(reader: SharedReader<M>): boolean {
    const { log, partition } = this.parts;
    const end = this.atEnd.isEmpty ? log.highWatermark(partition) : this.atEnd.position;
    if (reader.position < end) return false;
    for (const feed of reader.feeds) {
      reader.leave(feed);
      if (!this.follow(feed)) feed.wake();
    }
    return true;
  }
}
