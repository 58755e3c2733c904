// What waits to be written to one partition, and the batch under way: repeated as it is until Kafka has it.
import type { BigpipeError } from '../../../message/errors.js';
import { notWanted } from '../../broker.js';
import type { ProduceRecord } from './kafka-requests.js';

const maxBatchRecords = 1000;
const firstWaitMs = 50;
const longestWaitMs = 1000;
/** Sequence numbers begin again at 0 behind it. */
const lastSequence = 2_147_483_647;

export interface AppendEntry {
  readonly record: ProduceRecord;
  readonly weight: number;
  /** Of Clock.elapsedMs; past it the caller has an answer. Infinity for one that waits as long as it takes. */
  readonly deadlineMs: number;
  /** Asked right before it is sent for the first time. */
  readonly isWanted: () => boolean;
  /** Once; later calls do nothing. */
  readonly settle: (result: bigint | null | BigpipeError) => void;
}

/** Under which a partition's batches are numbered, so that Kafka knows a repeat. */
export interface ProducerIdentity {
  readonly id: unknown;
  readonly epoch: number;
}

export class AppendLane {
  batch: readonly AppendEntry[] | null = null;
  inFlight = false;
  /** Kafka may have the batch. */
  private isSent = false;
  /** After a failure among several partitions nobody knows which one failed: each goes by itself until it succeeds. */
  alone = false;
  /** How often the batch has failed. */
  failures = 0;
  notBeforeMs = 0;
  identity: ProducerIdentity | null = null;
  sequence = 0;
  private queue: AppendEntry[] = [];

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  get isIdle(): boolean {
    return this.batch === null && this.queue.length === 0;
  }

  push(entry: AppendEntry): void {
    this.queue.push(entry);
  }

  /** The batch to send: the one that failed before any other. Null when nothing waits. */
  next(maxBatchBytes: number): readonly AppendEntry[] | null {
    if (this.batch !== null || this.queue.length === 0) return this.batch;
    let count = 0;
    let bytes = 0;
    for (const { weight } of this.queue) {
      bytes += weight;
      if (count > 0 && (count >= maxBatchRecords || bytes > maxBatchBytes)) break;
      count += 1;
    }
    this.batch = this.queue.splice(0, count);
    return this.batch;
  }

  /** The batch leaves now, without what nobody wants any more; false when nothing is left of it. */
  leave(): boolean {
    const { batch } = this;
    if (batch === null || this.isSent) return batch !== null;
    const left = batch.filter(({ isWanted }) => isWanted());
    const unwanted = left.length === batch.length ? [] : batch.filter((entry) => !left.includes(entry));
    if (left.length === 0) this.finished();
    else this.batch = left;
    this.isSent = left.length > 0;
    for (const entry of unwanted) entry.settle(notWanted());
    return this.isSent;
  }

  /** Kafka has the batch; offset null where it does not say. */
  stored(baseOffset: bigint | null): void {
    const batch = this.batch ?? [];
    this.sequence =
      this.sequence > lastSequence - batch.length
        ? batch.length - (lastSequence - this.sequence) - 1
        : this.sequence + batch.length;
    this.finished();
    batch.forEach((entry, i) => {
      entry.settle(baseOffset === null ? null : baseOffset + BigInt(i));
    });
  }

  /** Kafka has none of it and never will. */
  refused(error: BigpipeError): void {
    const batch = this.batch ?? [];
    this.finished();
    for (const entry of batch) entry.settle(error);
  }

  failed(nowMs: number): void {
    this.notBeforeMs = nowMs + Math.min(longestWaitMs, firstWaitMs * 2 ** this.failures);
    this.failures += 1;
  }

  /** The first half goes by itself, to find the message that is too large. False for a single one. */
  split(): boolean {
    const batch = this.batch ?? [];
    if (batch.length < 2) return false;
    const half = Math.ceil(batch.length / 2);
    this.queue = [...batch.slice(half), ...this.queue];
    this.batch = batch.slice(0, half);
    return true;
  }

  /** Gives an answer to those whose time is over. What Kafka may have already stays, until Kafka says so. */
  expire(nowMs: number, error: () => BigpipeError): void {
    const isLate = ({ deadlineMs }: AppendEntry) => deadlineMs <= nowMs;
    for (const entry of this.batch ?? []) if (isLate(entry)) entry.settle(error());
    if (!this.queue.some(isLate)) return;
    const late = this.queue.filter(isLate);
    this.queue = this.queue.filter((entry) => !isLate(entry));
    for (const entry of late) entry.settle(error());
  }

  /** Nothing is sent any more. */
  abandon(error: BigpipeError): void {
    const all = [...(this.batch ?? []), ...this.queue];
    this.batch = null;
    this.queue = [];
    for (const entry of all) entry.settle(error);
  }

  private finished(): void {
    this.batch = null;
    this.isSent = false;
    this.failures = 0;
    this.notBeforeMs = 0;
    this.alone = false;
  }
}
