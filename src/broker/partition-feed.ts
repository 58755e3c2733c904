// Hands one partition's messages to one member, in order, one batch at a time, for as long as the member owns it.
import type { Clock, Timer } from '../message/clock.js';
import type { MessageBatch, TopicPartition } from './broker.js';
import { maxBatchBytes, maxBatchMessages, type PartitionLog } from './partition-log.js';

/** Where nothing fills the window (all of it was settled before), the event loop still gets its turns. */
const batchesPerTurn = 16;
/** After a read, or a handler, that failed: a disk may recover, and nothing else wakes a partition that stands still. */
const retryMs = 1000;

export class PartitionFeed {
  /** The partition belongs to somebody else, or to nobody. */
  isGone = false;
  private retry: Timer | null = null;
  private started = false;
  private paused = false;
  private stopped = false;
  private running: Promise<void> | null = null;

  constructor(
    readonly partition: TopicPartition,
    private offset: bigint,
    private readonly log: PartitionLog,
    private readonly deliver: (batch: MessageBatch) => void | Promise<void>,
    private readonly failed: (error: unknown) => void,
    private readonly clock: Clock,
  ) {}

  /** Nothing is handed over before. */
  start(): void {
    this.started = true;
    this.wake();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wake();
  }

  /** There may be something to read. Costs nothing while a run is under way: it reads to the end. */
  wake(): void {
    if (!this.started || this.paused || this.stopped || this.running !== null || this.retry !== null) return;
    this.running = this.run().finally(() => {
      this.running = null;
      // What was appended between the last read and here woke nobody.
      if (this.hasMore()) this.wake();
    });
  }

  /** No batch is handed over after the promise has resolved. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.retry?.cancel();
    await this.running;
  }

  private hasMore(): boolean {
    return !this.paused && !this.stopped && this.retry === null && this.offset < this.log.highWatermark(this.partition);
  }

  private async run(): Promise<void> {
    // Leaves the caller's stack, so that an append is never held up by a delivery.
    await Promise.resolve();
    let batches = 0;
    while (!this.paused && !this.stopped) {
      try {
        const read = this.log.read(this.partition, this.offset, maxBatchMessages, maxBatchBytes);
        if (read === null) return;
        await this.deliver({ ...this.partition, messages: read.messages, nextOffset: read.nextOffset });
        // Only now: a batch whose handler has failed comes again.
        this.offset = read.nextOffset;
        batches += 1;
        if (batches % batchesPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        this.failed(error);
        this.retry = this.clock.setTimer(retryMs, () => {
          this.retry = null;
          this.wake();
        });
        return;
      }
    }
  }
}
