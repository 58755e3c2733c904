// What the store and its writer thread say to each other.
import type { Retention } from '../../broker.js';
import type {
  DamagedRange,
  RetentionRequest,
  RetentionResult,
  StoredTopic,
  StoreState,
  StoreWrite,
} from './log-store.js';

export interface WriterOptions {
  readonly directory: string;
  readonly fsync: boolean;
  /** 0: the disk is the bound. */
  readonly maxBytes: number;
  /** check: looks through the database and ends, without becoming its owner. */
  readonly mode: 'write' | 'check';
}

export interface TopicRequest {
  readonly name: string;
  readonly partitions: number;
  readonly retention: Retention;
}

/** The request of each kind, and what its success brings. */
export interface WriterCalls {
  open: { request: null; result: StoreState };
  /** All of them or none; answered in their order. */
  ensureTopics: { request: readonly TopicRequest[]; result: readonly StoredTopic[] };
  write: { request: StoreWrite; result: ArrayBuffer };
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
