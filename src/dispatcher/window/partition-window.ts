// What one subscription has read of one partition and not yet settled: bounded, with its commit point.
import type { Assignment, CommittedOffset, TopicPartition } from '../../broker/broker.js';
import { ReadWaiters } from '../../broker/read-waiters.js';
import type { Ordering } from '../../config-watch/settings.js';
import { type Delivery, type DeliverySettings, deliveryOf, type InvalidMessage } from '../../message/delivery.js';
import { type Position, type StoredMessage, weightOf } from '../../message/message.js';
import { LazyAbort } from './lazy-abort.js';
import { type HandOut, type HandOutCause, OffsetTracker } from './offset-tracker.js';

/** Reading goes on once no more than this part is taken: what cannot go may hold half of it for long. */
const resumeShare = 3 / 4;
/** A commit speaks for messages that are handed out before the next one: as many as in the time before, and never fewer: a batch. */
const fewestAhead = 256;

export interface WindowSettings {
  /** Messages that may be unsettled at the same moment. */
  readonly maxOpen: number;
  /** What they may weigh together, in bytes; or one heavier message. */
  readonly maxWeight: () => number;
  readonly ordering: Ordering;
  readonly delivery: DeliverySettings;
}

/**
 * Where a delivery is on its way: not yet due, behind another of its lane, before the gates, sent, waiting for its next
 * attempt, being buried, or being moved to the overflow.
 */
export type Stage = 'not yet' | 'order' | 'ready' | 'in flight' | 'retry' | 'dead letter' | 'moving';

/** Who sent a dead letter again, and wants to know what became of it. */
export interface Resent {
  /** False once no more attempts are wanted. */
  readonly goesOn: boolean;
  /** Called for each attempt of it. */
  attempted(work: Work, went: 'well' | 'wrong'): void;
  /** settled: it is delivered, or stands as a new letter behind the others. stays: it is where it was. */
  over(work: Work, how: 'settled' | 'stays'): void;
}

export interface Routing {
  readonly lane: string | null;
  /** Lanes that spill together. */
  readonly spillGroup: string;
}

/** A delivery in its window. */
export interface Work extends Routing {
  readonly delivery: Delivery;
  readonly weight: number;
  readonly window: PartitionWindow;
  /** Set for a dead letter that is sent again from where it stands. */
  readonly resent: Resent | null;
  stage: Stage;
  /** Clock.elapsedMs() at which it came into its stage; for a retry and what is not yet due, at which it is due. */
  stageMs: number;
}

/** What a message that was read is. */
export type Reading =
  | { readonly kind: 'settled' }
  | { readonly kind: 'invalid'; readonly detail: string }
  | { readonly kind: 'work'; readonly work: Work };

const settledBefore: Reading = { kind: 'settled' };

/** How much of a window belongs to one destination. */
interface Held {
  count: number;
  weight: number;
}

/** A commit, and below which offset it says that messages may have been sent. */
export interface TakenCommit {
  readonly offset: CommittedOffset;
  readonly handedOutBelow: bigint;
}

export class PartitionWindow {
  readonly partition: TopicPartition;
  /** Ends the attempts of this partition when it is taken away. */
  readonly abort = new LazyAbort();
  /** Ends what waits for this partition's next messages once it is closed. */
  readonly closing = new LazyAbort();
  isPaused = false;
  /** True once something was settled or passed over since the last commit. */
  isDirty = false;
  private isClosed = false;
  private weight = 0;
  private underWay = 0;
  private quiet: (() => void)[] = [];
  private readonly readers = new ReadWaiters((offset) => this.isClosed || offset < this.nextOffset);
  private readSinceCommit = 0;
  private promisedEnd = 0n;
  private wantedEnd = 0n;
  private readonly held = new Map<string, Held>();
  /** Offsets of those that are being moved behind others of their lane. */
  private readonly following = new Set<bigint>();
  private readonly tracker: OffsetTracker<Work>;

  constructor(
    private readonly assignment: Assignment,
    private readonly settings: WindowSettings,
    /** The partition's end when it was taken over: what stands behind it nobody before us can have sent. */
    private readonly endAtStart: bigint,
  ) {
    const { topic, partition, start } = assignment;
    this.partition = { topic, partition };
    this.tracker = new OffsetTracker(start.offset, start.metadata, endAtStart);
  }

  /** False while somebody else may own the partition: nothing is sent or stored for it. */
  get isOurs(): boolean {
    return !this.abort.aborted && this.assignment.isOurs();
  }

  get closed(): boolean {
    return this.isClosed;
  }

  get isFull(): boolean {
    return this.tracker.open >= this.settings.maxOpen || this.weight >= this.settings.maxWeight();
  }

  /** Half of what may be unsettled is. */
  get isHalfFull(): boolean {
    return this.tracker.open >= this.settings.maxOpen / 2 || this.weight >= this.settings.maxWeight() / 2;
  }

  /** Reading on is worth it. */
  get hasRoom(): boolean {
    const { maxOpen, maxWeight } = this.settings;
    return this.tracker.open <= maxOpen * resumeShare && this.weight <= maxWeight() * resumeShare;
  }

  /** The next offset that is not read yet. */
  get nextOffset(): bigint {
    return this.tracker.next;
  }

  /** Everything below it is settled. */
  get mark(): bigint {
    return this.tracker.mark;
  }

  /** Unsettled ones, those that are no valid call left out, in the order of their offsets. */
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

  /** True for what was settled before the partition became ours. */
  wasSettledBefore(offset: bigint): boolean {
    return this.tracker.wasSettledBefore(offset);
  }

  /** Of all that is in it. */
  destinations(): readonly string[] {
    return [...this.held.keys()];
  }

  /** The part of the window that a destination's messages take, from 0 to 1. */
  shareOf(destination: string): number {
    const held = this.held.get(destination);
    const { maxOpen, maxWeight } = this.settings;
    return held === undefined ? 0 : Math.max(held.count / maxOpen, held.weight / maxWeight());
  }

  /** What a work adds to its destination's share. */
  shareOfOne({ weight }: Work): number {
    return Math.max(1 / this.settings.maxOpen, weight / this.settings.maxWeight());
  }

  read(stored: StoredMessage, nowMs: number): Reading {
    this.readSinceCommit += 1;
    if (!this.tracker.take(stored.offset)) {
      this.isDirty = true;
      return settledBefore;
    }
    return this.keep(deliveryOf(stored, this.settings.delivery, this.sentBefore(stored)), null, nowMs);
  }

  /** A dead letter without its history, which was first stored at `origin`. They are read in the order of their offsets. */
  readLetter(letter: StoredMessage, origin: Position, resent: Resent, nowMs: number): Reading {
    this.tracker.take(letter.offset);
    return this.keep(deliveryOf(letter, this.settings.delivery, 'redrive', origin), resent, nowMs);
  }

  /** One that is no call: it is open until it is settled. False when it was settled before. */
  readRecord({ offset }: StoredMessage): boolean {
    this.isDirty = true;
    return this.tracker.take(offset);
  }

  private keep(delivery: Delivery | InvalidMessage, resent: Resent | null, nowMs: number): Reading {
    if ('invalid' in delivery) return { kind: 'invalid', detail: delivery.invalid };
    const { source } = delivery;
    const { ordering } = this.settings;
    const work: Work = {
      delivery,
      lane: laneOf(delivery, ordering),
      spillGroup: groupOf(delivery, ordering),
      weight: weightOf(source),
      window: this,
      resent,
      stage: 'order',
      stageMs: nowMs,
    };
    this.tracker.keep(source.offset, work);
    this.hold(work, 1);
    return { kind: 'work', work };
  }

  /** All below was read, or is not there any more. */
  readUpTo(nextOffset: bigint): void {
    this.tracker.skipTo(nextOffset);
    this.isDirty = true;
    this.readers.check();
  }

  /** Resolves once the message at `offset` has been read, or the window is closed. */
  whenRead(offset: bigint): Promise<void> {
    return this.readers.until(offset);
  }

  /** The message needs no more attempt from here. */
  settle(work: Work): void {
    this.hold(work, -1);
    this.settleOffset(work.delivery.source.offset);
  }

  /** It is moved behind others of its lane, which are in the overflow. */
  follow({ delivery: { source } }: Work): void {
    this.following.add(source.offset);
  }

  /** It is not moved after all. */
  unfollow({ delivery: { source } }: Work): void {
    this.following.delete(source.offset);
  }

  settleOffset(offset: bigint): void {
    this.following.delete(offset);
    this.tracker.settle(offset);
    this.isDirty = true;
  }

  /** What to commit now. */
  takeCommit(maxMetadataBytes: number, spilled: string, copies: string): TakenCommit {
    const handOut = this.isClosed ? this.handOutAtEnd() : this.handOutSoFar();
    this.isDirty = false;
    this.readSinceCommit = 0;
    let followFrom: bigint | null = null;
    for (const offset of this.following) if (followFrom === null || offset < followFrom) followFrom = offset;
    const metadata = this.tracker.metadata(maxMetadataBytes, handOut, { spilled, copies, followFrom });
    return { offset: { offset: this.tracker.mark, metadata }, handedOutBelow: handOut?.end ?? 0n };
  }

  /** A commit is durable that says what is below `end` may have been sent. */
  promised(end: bigint): void {
    if (end > this.promisedEnd) this.promisedEnd = end;
  }

  /** False where a crash would hide that they were sent. */
  mayHandOutBelow(end: bigint): boolean {
    return end <= this.promisedEnd;
  }

  /** The next commit says so. */
  wantsToHandOutBelow(end: bigint): void {
    this.wantedEnd = end;
    this.isDirty = true;
  }

  /** No attempt begins any more; those under way may still end and settle. */
  close(): void {
    this.isClosed = true;
    this.closing.abort();
    // What was said ahead of time is taken back, and what was tried and is not settled is named. Of a window that nothing came to nothing was said.
    if (this.promisedEnd > 0n || this.nextOffset > this.assignment.start.offset) this.isDirty = true;
    this.checkQuiet();
    this.readers.check();
  }

  /** An attempt, or the writing of a message elsewhere, begins and ends. */
  begin(): void {
    this.underWay += 1;
  }

  end(): void {
    this.underWay -= 1;
    this.checkQuiet();
  }

  /** Closed, and nothing is under way. */
  get isQuiet(): boolean {
    return this.isClosed && this.underWay === 0;
  }

  /** Resolves once the window is closed and nothing is under way. */
  whenQuiet(): Promise<void> {
    return new Promise((resolve) => {
      this.quiet.push(resolve);
      this.checkQuiet();
    });
  }

  private hold({ weight, delivery: { destination } }: Work, sign: 1 | -1): void {
    this.weight += sign * weight;
    const held = this.held.get(destination) ?? { count: 0, weight: 0 };
    held.count += sign;
    held.weight += sign * weight;
    if (held.count === 0) this.held.delete(destination);
    else this.held.set(destination, held);
  }

  private sentBefore({ offset }: StoredMessage): HandOutCause | null {
    return offset >= this.endAtStart ? null : this.tracker.handedOutBefore(offset);
  }

  /** If the process dies now, it has sent these, or will have until the next commit. */
  private handOutSoFar(): HandOut {
    const ahead = Math.max(fewestAhead, 2 * this.readSinceCommit);
    const { next } = this.tracker;
    const { wantedEnd } = this;
    return { end: (wantedEnd > next ? wantedEnd : next) + BigInt(ahead), cause: 'crash' };
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

  private checkQuiet(): void {
    if (!this.isQuiet) return;
    for (const resolve of this.quiet.splice(0)) resolve();
  }
}

/** What a lane's name is made of; its key as text. */
export function laneParts(lane: string): { destination: string | null; key: string | null } {
  const at = lane.indexOf(' ');
  if (at === -1) return { destination: null, key: null };
  return { destination: lane.slice(0, at), key: Buffer.from(lane.slice(at + 1), 'latin1').toString('utf8') };
}

/** The lane of a message, null for none, and its spill group; null for one that is no valid call. */
export function routingOf(source: StoredMessage, { delivery: settings, ordering }: WindowSettings): Routing | null {
  const delivery = deliveryOf(source, settings, null);
  if ('invalid' in delivery) return null;
  return { lane: laneOf(delivery, ordering), spillGroup: groupOf(delivery, ordering) };
}

function groupOf({ destination }: Delivery, ordering: Ordering): string {
  return ordering === 'partition' ? ordering : destination;
}

function laneOf({ source: { key }, destination }: Delivery, ordering: Ordering): string | null {
  if (ordering === 'partition') return 'partition';
  return key === null || ordering === 'none' ? null : `${destination} ${key.toString('latin1')}`;
}
