// Reads a partition once for all feeds that follow it, and hands each what it wants; of the rest nobody is told.
import type { Clock } from '../message/clock.js';
import type { StoredMessage } from '../message/message.js';
import type { TopicPartition } from './broker.js';
import type { InterestIndex } from './interest-index.js';
import { maxBatchBytes, maxBatchMessages, type PartitionLog, type ReadResult } from './partition-log.js';
import { ReadingLoop } from './reading-loop.js';

export interface SharedReaderParts<M> {
  readonly partition: TopicPartition;
  readonly log: PartitionLog;
  readonly clock: Clock;
  readonly index: InterestIndex<M>;
  readonly failed: (error: unknown) => void;
  /** After each read: true when nobody follows this reader any more. */
  readonly passed?: (reader: SharedReader<M>) => boolean;
}

/** A feed as its readers see it. */
export interface Follower<M> {
  readonly member: M;
  /** The next offset that it has not been handed, and that nobody has passed over for it. */
  readonly place: bigint;
  /** The next offset that it needs: beyond its place where whom it follows has read on for it. */
  readonly standsAt: bigint;
  /** What stands before `offset` it does not want. */
  passTo(offset: bigint): void;
  /** There may be something to read. */
  wake(): void;
  /** Null: it reads by itself from now on. */
  follows(reader: SharedReader<M> | null): void;
  /** It is handed this, and then reads on by itself from `nextOffset`. */
  take(read: ReadResult): void;
}

/**
 * Who wants something leaves with it, reads on by itself, and joins again when it has caught up: so that nobody waits for
 * another's handler.
 */
export class SharedReader<M> {
  /** The next to be read. Nobody who follows wants what stands between its own place and this one. */
  private at = 0n;
  private readonly followers = new Map<M, Follower<M>>();
  private readonly loop: ReadingLoop;

  constructor(private readonly parts: SharedReaderParts<M>) {
    this.loop = new ReadingLoop(parts.clock, {
      hasMore: () => !this.isEmpty && this.at < parts.log.highWatermark(parts.partition),
      step: () => this.readOn(),
      failed: parts.failed,
    });
  }

  get position(): bigint {
    return this.at;
  }

  get isEmpty(): boolean {
    return this.followers.size === 0;
  }

  get feeds(): readonly Follower<M>[] {
    return [...this.followers.values()];
  }

  /** False for one that is behind; with nobody here, for one that is not at the partition's end. */
  join(feed: Follower<M>): boolean {
    const { partition, log } = this.parts;
    if (feed.place < (this.isEmpty ? log.highWatermark(partition) : this.at)) return false;
    if (this.isEmpty) this.at = feed.place;
    this.followers.set(feed.member, feed);
    feed.follows(this);
    return true;
  }

  /** The same for one that is behind: all go back to where it is, and each is handed only what is ahead of its own place. */
  joinFrom(feed: Follower<M>): void {
    if (this.isEmpty) this.at = feed.place;
    else if (feed.place < this.at) {
      for (const other of this.followers.values()) other.passTo(this.at);
      this.at = feed.place;
    }
    this.followers.set(feed.member, feed);
    feed.follows(this);
    this.wake();
  }

  leave(feed: Follower<M>): void {
    if (!this.followers.delete(feed.member)) return;
    feed.passTo(this.at);
    feed.follows(null);
    if (this.isEmpty) this.loop.forgetFailure();
  }

  /** There may be something to read. */
  wake(): void {
    this.loop.wake();
  }

  private readOn(): boolean {
    const { log, partition, passed } = this.parts;
    const read = log.read(partition, this.at, maxBatchMessages, maxBatchBytes);
    if (read === null) return false;
    this.pass(read);
    return passed?.(this) !== true;
  }

  private pass({ messages, nextOffset }: ReadResult): void {
    const { index } = this.parts;
    const wanted = new Map<Follower<M>, StoredMessage[]>();
    for (const message of messages) {
      for (const member of index.whoWants(message.headers, message.body)) {
        const feed = this.followers.get(member);
        if (feed === undefined || message.offset < feed.place) continue;
        const list = wanted.get(feed);
        if (list === undefined) wanted.set(feed, [message]);
        else list.push(message);
      }
    }
    for (const [feed, list] of wanted) {
      this.leave(feed);
      feed.take({ messages: list, nextOffset });
    }
    this.at = nextOffset;
  }
}
