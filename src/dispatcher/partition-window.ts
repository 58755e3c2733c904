// What one subscription has read of one partition and not yet settled: bounded, in lanes, with its commit point.
import type { Assignment, CommittedOffset, TopicPartition } from '../broker/broker.js';
import { type Delivery, deliveryOf } from '../message/delivery.js';
import { type StoredMessage, weightOf } from '../message/message.js';
import { Lanes } from './lanes.js';
import { OffsetTracker } from './offset-tracker.js';

/** 4 MiB of messages a partition may be unsettled, or one larger message. */
const maxWeight = 4 * 1_048_576;

export interface WindowLimits {
  /** Messages that may be unsettled at the same moment. */
  readonly maxOpen: number;
  readonly retries: number;
  readonly timeoutMs: number;
}

/** A delivery in its window. */
export interface Work {
  readonly delivery: Delivery;
  readonly lane: string | null;
  readonly weight: number;
  readonly window: PartitionWindow;
}

/** How a message that was read goes on. */
export type Admission =
  | { readonly kind: 'settled' }
  | { readonly kind: 'invalid'; readonly detail: string }
  | { readonly kind: 'ready' | 'queued'; readonly work: Work };

const settledBefore: Admission = { kind: 'settled' };

export class PartitionWindow {
  readonly partition: TopicPartition;
  /** Ends the attempts of this partition when it is taken away. */
  readonly abort = new AbortController();
  isPaused = false;
  /** True once something was settled or passed over since the last commit. */
  isDirty = false;
  private isClosed = false;
  private weight = 0;
  private underWay = 0;
  private quiet: (() => void)[] = [];
  private readonly tracker: OffsetTracker;
  private readonly lanes = new Lanes<Work>();

  constructor(
    { topic, partition, start }: Assignment,
    private readonly limits: WindowLimits,
  ) {
    this.partition = { topic, partition };
    this.tracker = new OffsetTracker(start.offset, start.metadata);
  }

  get closed(): boolean {
    return this.isClosed;
  }

  get isFull(): boolean {
    return this.tracker.open >= this.limits.maxOpen || this.weight >= maxWeight;
  }

  /** Half empty: reading on is worth it. */
  get hasRoom(): boolean {
    return this.tracker.open * 2 <= this.limits.maxOpen && this.weight * 2 <= maxWeight;
  }

  admit(stored: StoredMessage): Admission {
    if (!this.tracker.take(stored.offset)) {
      this.isDirty = true;
      return settledBefore;
    }
    const delivery = deliveryOf(stored, this.limits);
    if ('invalid' in delivery) return { kind: 'invalid', detail: delivery.invalid };
    const work = { delivery, lane: laneOf(delivery), weight: weightOf(stored), window: this };
    this.weight += work.weight;
    return { kind: this.lanes.enter(work) ? 'ready' : 'queued', work };
  }

  /** All below was read, or is not there any more. */
  readUpTo(nextOffset: bigint): void {
    this.tracker.skipTo(nextOffset);
    this.isDirty = true;
  }

  /** The message needs no more attempt; returns the one that waited behind it. */
  settle(work: Work): Work | null {
    this.weight -= work.weight;
    this.settleOffset(work.delivery.source.offset);
    return this.lanes.leave(work);
  }

  settleOffset(offset: bigint): void {
    this.tracker.settle(offset);
    this.isDirty = true;
  }

  /** What to commit now. */
  takeCommit(maxMetadataBytes: number): CommittedOffset {
    this.isDirty = false;
    return { offset: this.tracker.mark, metadata: this.tracker.metadata(maxMetadataBytes) };
  }

  /** No attempt begins any more; those under way may still end and settle. */
  close(): void {
    this.isClosed = true;
    this.checkQuiet();
  }

  /** An attempt, or the writing of a dead letter, begins and ends. */
  begin(): void {
    this.underWay += 1;
  }

  end(): void {
    this.underWay -= 1;
    this.checkQuiet();
  }

  /** Resolves once the window is closed and nothing is under way. */
  whenQuiet(): Promise<void> {
    return new Promise((resolve) => {
      this.quiet.push(resolve);
      this.checkQuiet();
    });
  }

  private checkQuiet(): void {
    if (!this.isClosed || this.underWay > 0) return;
    for (const resolve of this.quiet.splice(0)) resolve();
  }
}

function laneOf({ source: { key }, url }: Delivery): string | null {
  return key === null ? null : `${url.origin} ${key.toString('latin1')}`;
}
