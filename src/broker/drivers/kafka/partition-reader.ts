// One partition that a member owns: what was fetched of it, handed over in order, one batch at a time.
import type { Clock } from '../../../message/clock.js';
import { type StoredMessage, weightOf } from '../../../message/message.js';
import type { MessageBatch, TopicPartition } from '../../broker.js';
import { ReadingLoop } from '../../reading-loop.js';

/** As small as on the other drivers, so that a pause takes effect soon. */
const maxBatchMessages = 256;
const maxBatchBytes = 1_048_576;
/** Below it the next fetch begins, so that there is no wait between two batches. */
const lowBytes = 262_144;

export interface ReaderEvents {
  deliver(batch: MessageBatch): void | Promise<void>;
  failed(error: unknown): void;
  /** More may be fetched. */
  hungry(): void;
}

interface Fetched {
  readonly message: StoredMessage;
  readonly weight: number;
}

export class PartitionReader {
  /** Part of a fetch that is under way. */
  isFetching = false;
  /** What stands next could not be read so often: nothing is asked for while it rests. */
  failedReads = 0;
  isResting = false;
  bytes = 0;
  private buffer: Fetched[] = [];
  /** Everything below has been fetched. */
  private fetchedTo: bigint;
  private handedTo: bigint;
  private started = false;
  private paused = false;
  private stopped = false;
  private readonly loop: ReadingLoop;

  constructor(
    readonly partition: TopicPartition,
    start: bigint,
    private readonly events: ReaderEvents,
    clock: Clock,
  ) {
    this.fetchedTo = start;
    this.handedTo = start;
    this.loop = new ReadingLoop(clock, {
      hasMore: () => this.hasMore(),
      step: () => this.handOver(),
      failed: (error) => events.failed(error),
    });
  }

  get nextOffset(): bigint {
    return this.fetchedTo;
  }

  get isHungry(): boolean {
    return this.mayBeAsked && this.hasRoom;
  }

  /** It has no room, or is to have none, and may have some at any moment. */
  get isFull(): boolean {
    return this.mayBeAsked && !this.hasRoom;
  }

  /** Nothing is handed over before. */
  start(): void {
    this.started = true;
    this.events.hungry();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.loop.wake();
    this.events.hungry();
  }

  /** What a fetch from `nextOffset` brought. Offsets below `to` that are not among the messages hold nothing. */
  take(messages: readonly StoredMessage[], to: bigint): void {
    if (this.stopped || to <= this.fetchedTo) return;
    for (const message of messages) {
      const weight = weightOf(message);
      this.bytes += weight;
      this.buffer.push({ message, weight });
    }
    this.fetchedTo = to;
    this.failedReads = 0;
    this.loop.wake();
  }

  /** What stood at the next offset is gone: goes on there. */
  skipTo(offset: bigint): void {
    if (this.buffer.length > 0) return;
    this.failedReads = 0;
    this.fetchedTo = offset;
    this.handedTo = offset;
  }

  /** No batch is begun from now on. */
  halt(): void {
    this.stopped = true;
    this.loop.halt();
  }

  /** No batch is under way once it resolves. */
  async stop(): Promise<void> {
    this.halt();
    await this.loop.stop();
    this.buffer = [];
    this.bytes = 0;
  }

  private get mayBeAsked(): boolean {
    return this.started && !this.stopped && !this.isFetching && !this.isResting;
  }

  private get hasRoom(): boolean {
    return !this.paused && this.bytes < lowBytes;
  }

  private hasMore(): boolean {
    if (!this.started || this.paused || this.stopped) return false;
    return this.buffer.length > 0 || this.handedTo < this.fetchedTo;
  }

  private async handOver(): Promise<boolean> {
    const { messages, bytes } = this.cut();
    const isLast = messages.length === this.buffer.length;
    const nextOffset = isLast ? this.fetchedTo : (messages.at(-1) as StoredMessage).offset + 1n;
    await this.events.deliver({ ...this.partition, messages, nextOffset });
    // Only now: a batch whose handler has failed comes again.
    this.buffer.splice(0, messages.length);
    this.bytes -= bytes;
    this.handedTo = nextOffset;
    if (this.isHungry) this.events.hungry();
    return true;
  }

  private cut(): { messages: StoredMessage[]; bytes: number } {
    const messages: StoredMessage[] = [];
    let bytes = 0;
    for (const { message, weight } of this.buffer) {
      if (messages.length > 0 && (messages.length >= maxBatchMessages || bytes + weight > maxBatchBytes)) break;
      messages.push(message);
      bytes += weight;
    }
    return { messages, bytes };
  }
}
