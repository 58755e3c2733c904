// What a log must be able to do so that all that it holds can be moved to another one.
import type { CommittedOffset, Retention, TopicPartition } from '../broker.js';

export interface TopicContents {
  readonly name: string;
  readonly retention: Retention;
  /** The modulus that chooses a key's partition; there may be more partitions. */
  readonly modulus: number;
  /** Behind the last message of each partition. */
  readonly ends: readonly bigint[];
}

export interface GroupMark extends TopicPartition {
  readonly group: string;
  readonly committed: CommittedOffset;
}

export interface LogContents {
  readonly topics: readonly TopicContents[];
  /** Of groups that have settled something, or said something. */
  readonly marks: readonly GroupMark[];
}

export interface MovableLog {
  contents(): LogContents;
  /** Resolves when all that was appended so far is stored, or was refused. */
  flushed(): Promise<void>;
  /** Durable: from now on nobody opens it, and is told why. What is open stays open. */
  seal(why: string): Promise<void>;
}
