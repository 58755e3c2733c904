// What one subscription has read of one partition and not yet settled: bounded, in lanes, with its commit point.
import type { Assignment, CommittedOffset, TopicPartition } from '../broker/broker.js';
import type { Ordering } from '../config-watch/settings.js';
import { type Delivery, type DeliverySettings, deliveryOf } from '../message/delivery.js';
import { type StoredMessage, weightOf } from '../message/message.js';
import { Lanes } from './lanes.js';
import { type HandOut, type HandOutCause, OffsetTracker } from './offset-tracker.js';

/** 4 MiB of messages a partition may be unsettled, or one larger message. */
const maxWeight = 4 * 1_048_576;

/** A commit speaks for messages that are handed out before the next one: as many as in the time before, and never fewer. */
const fewestAhead = 64;

export interface WindowSettings {
  /** Messages that may be unsettled at the same moment. */
  readonly maxOpen: number;
  readonly ordering: Ordering;
  readonly delivery: DeliverySettings;
}

/** Where a delivery is on its way: behind another of its lane, before the gates, sent, waiting for its retry, being buried. */
export type Stage = 'order' | 'ready' | 'in flight' | 'retry' | 'dead letter';

/** A delivery in its window. */
export interface Work {
  readonly delivery: Delivery;
  readonly lane: string | null;
  readonly weight: number;
  readonly window: PartitionWindow;
  stage: Stage;
  /** Clock.elapsedMs() at which it came into its stage. */
  stageMs: number;
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
  private readSinceCommit = 0;
  private readonly tracker: OffsetTracker<Work>;
  private readonly lanes = new Lanes<Work>();

  constructor(
    { topic, partition, start }: Assignment,
    private readonly settings: WindowSettings,
    /** Unix milliseconds; what was stored later nobody before us can have sent. */
    private readonly takenOverMs: number,
  ) {
    this.partition = { topic, partition };
    this.tracker = new OffsetTracker(start.offset, start.metadata);
  }

  get closed(): boolean {
    return this.isClosed;
  }

  get isFull(): boolean {
    return this.tracker.open >= this.settings.maxOpen || this.weight >= maxWeight;
  }

  /** Half empty: reading on is worth it. */
  get hasRoom(): boolean {
    return this.tracker.open * 2 <= this.settings.maxOpen && this.weight * 2 <= maxWeight;
  }

  /** The next offset that is not read yet. */
  get nextOffset(): bigint {
    return this.tracker.next;
  }

  /** How many wait behind another one of their lane. */
  get waitingInLanes(): number {
    return this.lanes.waiting;
  }

  /** Unsettled ones, those that are no valid call left out. */
  *works(): Generator<Work> {
    for (const work of this.tracker.items()) if (work !== undefined) yield work;
  }

  /** Those that are ready or wait for their next attempt. */
  waiting(): ReadonlySet<Work> {
    return new Set([...this.works()].filter(({ stage }) => stage === 'ready' || stage === 'retry'));
  }

  /** On their way to the dead letter: given up, or no valid call. */
  get beingBuried(): number {
    let count = 0;
    for (const work of this.tracker.items()) if (work === undefined || work.stage === 'dead letter') count += 1;
    return count;
  }

  /** The unsettled one at an offset. */
  workAt(offset: bigint): Work | undefined {
    return this.tracker.at(offset);
  }

  isOpen(offset: bigint): boolean {
    return this.tracker.isOpen(offset);
  }

  /** The one that `work` waits for in its lane. */
  aheadOf(work: Work): Work | undefined {
    return this.lanes.headOf(work);
  }

  admit(stored: StoredMessage, nowMs: number): Admission {
    this.readSinceCommit += 1;
    if (!this.tracker.take(stored.offset)) {
      this.isDirty = true;
      return settledBefore;
    }
    const delivery = deliveryOf(stored, this.settings.delivery, this.sentBefore(stored));
    if ('invalid' in delivery) return { kind: 'invalid', detail: delivery.invalid };
    const work: Work = {
      delivery,
      lane: laneOf(delivery, this.settings.ordering),
      weight: weightOf(stored),
      window: this,
      stage: 'order',
      stageMs: nowMs,
    };
    this.tracker.keep(stored.offset, work);
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
    const handOut = this.isClosed ? this.handOutAtEnd() : this.handOutSoFar();
    this.isDirty = false;
    this.readSinceCommit = 0;
    return { offset: this.tracker.mark, metadata: this.tracker.metadata(maxMetadataBytes, handOut) };
  }

  private sentBefore({ offset, timestampMs }: StoredMessage): HandOutCause | null {
    return timestampMs > this.takenOverMs ? null : this.tracker.handedOutBefore(offset);
  }

  /** If the process dies now, it has sent these, or will have until the next commit. */
  private handOutSoFar(): HandOut {
    const ahead = Math.max(fewestAhead, 2 * this.readSinceCommit);
    return { end: this.tracker.next + BigInt(ahead), cause: 'crash' };
  }

  /** What has been tried and is not settled, by us or maybe by an owner before: the next one sends it again. */
  private handOutAtEnd(): HandOut | null {
    let end: bigint | null = null;
    let cause: HandOutCause = 'rebalance';
    for (const { delivery } of this.works()) {
      if (delivery.firstAttemptMs === 0 && delivery.redelivery === null) continue;
      end = delivery.source.offset + 1n;
      if (delivery.firstAttemptMs === 0 && delivery.redelivery === 'crash') cause = 'crash';
    }
    return end === null ? null : { end, cause };
  }

  /** No attempt begins any more; those under way may still end and settle. */
  close(): void {
    this.isClosed = true;
    // What was said ahead of time is taken back; what was tried and is not settled stays named.
    this.isDirty = true;
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

function laneOf({ source: { key }, destination }: Delivery, ordering: Ordering): string | null {
  if (ordering === 'partition') return 'partition';
  return key === null || ordering === 'none' ? null : `${destination} ${key.toString('latin1')}`;
}
