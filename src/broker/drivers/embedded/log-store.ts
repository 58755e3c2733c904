// What the embedded driver asks of its storage; the one file to satisfy if another engine should replace SQLite.
import type { CommittedOffset, Retention } from '../../broker.js';

export interface StoredTopic {
  readonly id: number;
  readonly name: string;
  readonly partitions: number;
  readonly retention: Retention;
}

export interface StoredPartition {
  readonly topicId: number;
  readonly partition: number;
  /** The oldest offset kept, and the one after the newest. */
  readonly start: number;
  readonly end: number;
}

export interface StoredCommit {
  readonly topicId: number;
  readonly partition: number;
  readonly group: string;
  /** Null for one that is damaged. */
  readonly committed: CommittedOffset | null;
  /** Unix milliseconds of the group's last commit there. */
  readonly seenMs: number;
}

export interface StoreState {
  readonly topics: readonly StoredTopic[];
  readonly partitions: readonly StoredPartition[];
  readonly commits: readonly StoredCommit[];
  /** What could not be recovered, in words. */
  readonly damage: readonly string[];
  /** True when there is room for nothing but marks, dead letters and retention. */
  readonly isFull: boolean;
}

/** A chunk inside the one buffer of a write. */
export interface ChunkPlace {
  readonly topicId: number;
  readonly partition: number;
  readonly base: number;
  readonly count: number;
  readonly timestampMs: number;
  readonly start: number;
  readonly length: number;
}

/** One transaction: all of it is durable when the promise resolves, or none of it ever is. */
export interface StoreWrite {
  /** May be longer than the chunks need. Its memory is given away until the write's promise brings it back. */
  readonly buffer: ArrayBuffer;
  readonly chunks: readonly ChunkPlace[];
  readonly commits: readonly StoredCommit[];
}

export interface StoredChunk {
  readonly base: number;
  readonly count: number;
  readonly data: Buffer;
}

/** Offsets that can no longer be read as what was written. */
export interface DamagedRange {
  readonly topicId: number;
  readonly partition: number;
  readonly first: number;
  /** Included. */
  readonly last: number;
  readonly reason: string;
  /** Unix milliseconds. */
  readonly seenMs: number;
}

/** How far one partition may be cleaned: what every group has settled, and what may go all the same. */
export interface RetentionFloor {
  readonly topicId: number;
  readonly partition: number;
  readonly settled: number;
  /** Settled chunks older than this go. */
  readonly settledBeforeMs: number;
  /** Chunks older than this go even unsettled; 0 for none. */
  readonly anyBeforeMs: number;
}

export interface RetentionRequest {
  readonly floors: readonly RetentionFloor[];
  /** Above this size settled chunks go before their age. */
  readonly maxBytes: number;
}

export interface RetentionResult {
  readonly starts: readonly { readonly topicId: number; readonly partition: number; readonly start: number }[];
  /** Messages that went although a group had not settled them. */
  readonly unsettled: number;
  /** True when a further call would remove more. */
  readonly more: boolean;
  /** True while there is room for nothing but marks, dead letters and retention. */
  readonly isFull: boolean;
}

export abstract class LogStore {
  /** False once what writes has ended without being asked to. */
  abstract readonly isAlive: boolean;

  /** Takes the directory for this process and recovers what is in it. Rejects with storage-locked or storage-damaged. */
  abstract open(): Promise<StoreState>;
  abstract ensureTopic(name: string, partitions: number, retention: Retention): Promise<StoredTopic>;
  /**
   * Writes take effect in the order of the calls. Resolves to the buffer, for the next write. After it has rejected
   * with storage-full there is a small reserve left, for marks and dead letters, until `retain` says otherwise.
   */
  abstract write(write: StoreWrite): Promise<ArrayBuffer>;
  /** The chunk that holds `offset`, else the next one behind it; null when there is none. Throws storage-damaged. */
  abstract read(topicId: number, partition: number, offset: number): StoredChunk | null;
  /** The first chunk at or behind `offset` that can be read, without its data. For finding the end of damage. */
  abstract nextReadable(topicId: number, partition: number, offset: number, end: number): number;
  /** Notes damage for later inspection. */
  abstract noteDamage(range: DamagedRange): Promise<void>;
  /** One short transaction; call again while `more`. */
  abstract retain(request: RetentionRequest): Promise<RetentionResult>;
  /** Durable: from then on `open` rejects with `closed`, and says why. */
  abstract seal(why: string): Promise<void>;
  /** Each line names one fault. */
  abstract check(): Promise<readonly string[]>;
  abstract close(): Promise<void>;
}
