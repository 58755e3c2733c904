// What the store and its writer thread say to each other.
import type { Retention } from '../../broker.js';
import type {
  ChunkPlace,
  DamagedRange,
  RetentionRequest,
  RetentionResult,
  StoredCommit,
  StoredTopic,
  StoreState,
} from './log-store.js';

export interface WriterOptions {
  readonly directory: string;
  readonly fsync: boolean;
  /** 0: the disk is the bound. */
  readonly maxBytes: number;
  /** check: looks through the database and ends, without becoming its owner. */
  readonly mode: 'write' | 'check';
}

/** As StoreWrite. */
export interface WriteRequest {
  readonly buffer: ArrayBuffer;
  /** See packPlaces: objects take several times as long from thread to thread. */
  readonly places: Float64Array;
  readonly commits: readonly StoredCommit[];
}

const numbersOfPlace = 7;

export function packPlaces(chunks: readonly ChunkPlace[]): Float64Array {
  const places = new Float64Array(chunks.length * numbersOfPlace);
  let at = 0;
  for (const { topicId, partition, base, count, timestampMs, start, length } of chunks) {
    places.set([topicId, partition, base, count, timestampMs, start, length], at);
    at += numbersOfPlace;
  }
  return places;
}

export function unpackPlaces(places: Float64Array): ChunkPlace[] {
  const chunks: ChunkPlace[] = [];
  for (let at = 0; at < places.length; at += numbersOfPlace) {
    const of = (place: number) => places[at + place] as number;
    const [topicId, partition, base, count] = [of(0), of(1), of(2), of(3)];
    chunks.push({ topicId, partition, base, count, timestampMs: of(4), start: of(5), length: of(6) });
  }
  return chunks;
}

/** The request of each kind, and what its success brings. */
export interface WriterCalls {
  open: { request: null; result: StoreState };
  ensureTopic: { request: { name: string; partitions: number; retention: Retention }; result: StoredTopic };
  write: { request: WriteRequest; result: ArrayBuffer };
  noteDamage: { request: DamagedRange; result: null };
  retain: { request: RetentionRequest; result: RetentionResult };
  check: { request: null; result: readonly string[] };
  close: { request: null; result: null };
}
export type WriterCall = keyof WriterCalls;

export interface WriterRequest<C extends WriterCall = WriterCall> {
  readonly id: number;
  readonly call: C;
  readonly request: WriterCalls[C]['request'];
}

export type WriterReply =
  | { readonly id: number; readonly result: WriterCalls[WriterCall]['result'] }
  /** `code` is SQLite's extended result code, or ours when the fault is not SQLite's. */
  | { readonly id: number; readonly code: string; readonly message: string };
