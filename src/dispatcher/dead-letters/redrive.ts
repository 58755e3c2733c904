// Sends dead letters again: paced, a few first, and no more once too many of them fail.
import { randomUUID } from 'node:crypto';
import { type Clock, pause } from '../../message/clock.js';
import { BigpipeError, textOf } from '../../message/errors.js';
import type { StoredMessage } from '../../message/message.js';
import { TokenBucket } from '../../policy/token-bucket.js';
import type { Resent, Work } from '../window/partition-window.js';
import type { DeadLetterBox, LetterRange } from './dead-letter-box.js';
import type { LetterSender } from './letter-sender.js';

export interface RedriveOrder {
  readonly range: LetterRange;
  /** Letters a second. */
  readonly perSecond: number;
  /** The share that goes first, above 0 to 1. */
  readonly canary: number;
  /** It stops once more than this share of the first attempts has failed, from 0 to 1. */
  readonly abortIfFailRate: number;
}

export const redriveStates = ['running', 'done', 'stopped', 'aborted', 'failed'] as const;
export type RedriveState = (typeof redriveStates)[number];

/** How a redrive stands. Letters that were not sent, or that failed where their key is parked, stay where they are. */
export interface RedriveReport {
  readonly id: string;
  readonly state: RedriveState;
  /** True until the last of its letters has ended, also after it was stopped. */
  readonly isUnderWay: boolean;
  readonly reason: string;
  /** Open letters of the range when it began. */
  readonly total: number;
  readonly sent: number;
  /** First attempts that ended. */
  readonly delivered: number;
  readonly failed: number;
  /** Letters that stay because an earlier one of their parked key does. */
  readonly held: number;
  /** Messages that came for parked keys since it began, and went behind their letters. */
  readonly followed: number;
}

/** What is under way and unanswered beyond the canary, of all letters; and of letters under way, whatever their number. */
const uncertainShare = 0.05;
const maxUnderWay = 256;
const maxBytesUnderWay = 4 * 1_048_576;
/** How often it is looked whether answers have come. */
const lookMs = 50;
/** After a note that the broker refused. */
const settleRetryMs = 1000;

/** A note that was refused for want of room, or by a disk, may be taken later. */
function mayHeal(error: unknown): boolean {
  return error instanceof BigpipeError && (error.code === 'storage-full' || error.code === 'storage-failed');
}

export interface RedriveParts {
  readonly clock: Clock;
  readonly box: DeadLetterBox;
  readonly sender: LetterSender;
  readonly order: RedriveOrder;
}

interface Part {
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * A letter is settled once it is delivered, or stands anew behind the others; until then it stays where it is, so that
 * nothing is lost whenever this ends. A parked key's letters go in their order, and what came for it meanwhile follows.
 */
export class Redrive implements Resent {
  readonly id = randomUUID();
  private state: RedriveState = 'running';
  private reason = '';
  private total = 0;
  private sent = 0;
  private delivered = 0;
  private failed = 0;
  private held = 0;
  private followed = 0;
  private bytesUnderWay = 0;
  /** Letters in their lanes or in flight. */
  private readonly underWay = new Set<Work>();
  /** Those of them that have not been tried yet. */
  private readonly unanswered = new Set<Work>();
  /** The partition that is read now, and its parked keys of which all letters so far are sent or settled. */
  private partition = -1;
  private lanes = new Set<string>();
  /** Delivered, or buried anew, and not noted yet. */
  private toSettle: Work[] = [];
  private settling: Promise<void> | null = null;
  private isOver = false;
  private gaveUpSettling = false;
  private readonly stopping = new AbortController();
  private readonly bucket: TokenBucket;

  constructor(private readonly parts: RedriveParts) {
    const { perSecond } = parts.order;
    this.bucket = new TokenBucket(perSecond, Math.max(1, perSecond / 100), parts.clock.elapsedMs());
  }

  get report(): RedriveReport {
    const { id, state, reason, total, sent, delivered, failed, held, followed } = this;
    return { id, state, isUnderWay: this.isUnderWay, reason, total, sent, delivered, failed, held, followed };
  }

  /** True until the last of its letters has ended, also after it was stopped. */
  get isUnderWay(): boolean {
    return !this.isOver;
  }

  get goesOn(): boolean {
    return this.state === 'running';
  }

  attempted(work: Work, went: 'well' | 'wrong'): void {
    if (!this.unanswered.delete(work)) return;
    if (went === 'well') this.delivered += 1;
    else this.failed += 1;
  }

  over(work: Work, how: 'settled' | 'stays'): void {
    if (this.underWay.delete(work)) this.bytesUnderWay -= work.weight;
    const wasTried = !this.unanswered.delete(work);
    if (how === 'settled') {
      this.toSettle.push(work);
      this.settling ??= this.settle();
      return;
    }
    if (!wasTried) this.sent -= 1;
    // What is called back at the end was simply not sent.
    if (!wasTried && this.goesOn) this.held += 1;
    if (work.lane !== null && work.window.partition.partition === this.partition) this.lanes.delete(work.lane);
  }

  /** What was not sent stays. */
  stop(reason: string): void {
    this.end('stopped', reason);
  }

  /** All that was delivered so far is noted. */
  async whenSettled(): Promise<void> {
    while (this.settling !== null) await this.settling;
  }

  /** What the broker refuses to note from here on is left: it is sent again by the next redrive. */
  giveUpSettling(): void {
    this.gaveUpSettling = true;
  }

  /** Ends by itself once all its letters have ended; never rejects. */
  async run(): Promise<void> {
    const { clock, box, order } = this.parts;
    try {
      const parts = box.partsOf(order.range);
      this.total = parts.reduce((sum, { open }) => sum + Number(open), 0);
      for (const part of parts) if (this.goesOn) await this.sendPart(part);
      await this.answers(0);
      this.judge();
    } catch (error) {
      this.end('failed', textOf(error));
    }
    while (this.underWay.size > 0 || this.settling !== null) await pause(clock, lookMs);
    if (this.state === 'running') this.end('done', '');
    this.isOver = true;
  }

  private async sendPart(part: Part): Promise<void> {
    const { box, sender, order, clock } = this.parts;
    const { partition, from, to } = part;
    if (!sender.owns(partition) || !box.owns(partition)) return;
    await sender.whenKnown(partition);
    this.partition = partition;
    this.lanes = new Set(sender.parkedLanes(partition));
    const { lanes } = this;
    /** Beyond the range only what came for these keys since. */
    const goesBeyond = order.range.to === null;
    for (let at = 0n; ; ) {
      const { letters, nextOffset } = await box.next(partition, at);
      const wanted = goesBeyond ? letters : letters.filter(({ offset }) => offset < to);
      for (const letter of wanted) await this.sendOrHold(letter, from, to);
      if (!this.goesOn) return;
      const isAtEnd = nextOffset <= at;
      at = !goesBeyond && nextOffset > to ? to : nextOffset;
      for (const lane of sender.letReturn(partition, lanes, at)) lanes.delete(lane);
      if (at >= to && (!goesBeyond || lanes.size === 0)) return;
      // What came for a parked key is still on its way here.
      if (isAtEnd) await pause(clock, lookMs, this.stopping.signal);
    }
  }

  private async sendOrHold(letter: StoredMessage, from: bigint, to: bigint): Promise<void> {
    if (!this.goesOn || !this.parts.box.isOpen(letter)) return;
    const lane = this.parts.sender.parkedLaneOf(letter);
    const isWanted = letter.offset >= from && (letter.offset < to || lane !== null);
    // What is left out holds back those of its key that come after it.
    if (!isWanted && lane !== null) this.lanes.delete(lane);
    if (!isWanted) return;
    const isHeld = () => lane !== null && !this.lanes.has(lane);
    const isOfRange = letter.offset < to;
    if (!isHeld() && !(await (isOfRange ? this.mayGo() : this.hasRoom()))) return;
    // While it waited an earlier one of its key may have failed.
    if (isHeld()) this.held += isOfRange ? 1 : 0;
    else this.send(letter, isOfRange);
  }

  /** Waits for the pace, and for what must be answered first; false when nothing more is sent. */
  private async mayGo(): Promise<boolean> {
    const { order } = this.parts;
    const canary = Math.max(1, Math.ceil(this.total * order.canary));
    // All of the canary is answered before anything follows it; after that a few may be open.
    if (this.sent === canary) await this.answers(0);
    else if (this.sent > canary) await this.answers(Math.max(1, Math.floor(this.total * uncertainShare)) - 1);
    if (!(await this.hasRoom())) return false;
    this.judge();
    await this.pace();
    return this.goesOn;
  }

  /** What came for a parked key since the redrive began was never tried: it needs no pace, the gates have theirs. */
  private async hasRoom(): Promise<boolean> {
    while (this.goesOn && (this.underWay.size >= maxUnderWay || this.bytesUnderWay >= maxBytesUnderWay))
      await this.look();
    return this.goesOn;
  }

  private send(letter: StoredMessage, isOfRange: boolean): void {
    const { sender, box } = this.parts;
    if (!box.mayScatter(letter.partition)) {
      this.end(
        'failed',
        `the letters of partition ${letter.partition} that stay are too scattered to be told from those that went: redrive or purge the parked keys of the oldest ones first`,
      );
      return;
    }
    const work = sender.take(letter, this);
    if (work === null) {
      this.held += 1;
      return;
    }
    this.underWay.add(work);
    this.bytesUnderWay += work.weight;
    if (isOfRange) {
      this.sent += 1;
      this.unanswered.add(work);
    } else this.followed += 1;
    sender.send(work);
  }

  /** Until no more than so many first attempts are open. */
  private async answers(open: number): Promise<void> {
    while (this.goesOn && this.unanswered.size > open) await this.look();
  }

  private async look(): Promise<void> {
    await pause(this.parts.clock, lookMs, this.stopping.signal);
    this.judge();
  }

  private judge(): void {
    const answered = this.delivered + this.failed;
    const { abortIfFailRate, canary } = this.parts.order;
    if (this.state !== 'running' || answered === 0) return;
    // A canary is judged as a whole, unless it has failed already whatever is still to come.
    const judged = Math.max(answered, Math.min(this.total, Math.ceil(this.total * canary)));
    if (this.failed / judged <= abortIfFailRate) return;
    this.end('aborted', `${this.failed} of ${answered} first attempts failed, more than ${abortIfFailRate}`);
  }

  private async pace(): Promise<void> {
    const { clock } = this.parts;
    for (let waitMs = this.bucket.take(clock.elapsedMs()); waitMs > 0 && this.goesOn; ) {
      await pause(clock, waitMs, this.stopping.signal);
      waitMs = this.bucket.take(clock.elapsedMs());
    }
  }

  /** What settles while a note is under way goes with the next one. */
  private async settle(): Promise<void> {
    const { box, sender, clock } = this.parts;
    await Promise.resolve();
    while (this.toSettle.length > 0) {
      const works = this.toSettle;
      this.toSettle = [];
      try {
        for (const partition of new Set(works.map(({ window }) => window.partition.partition))) {
          const ofPartition = works.filter(({ window }) => window.partition.partition === partition);
          const offsets = ofPartition.map(({ delivery }) => delivery.source.offset);
          await box.settle(
            partition,
            offsets.map((offset) => [offset, offset + 1n] as const),
          );
        }
        sender.settled(works);
      } catch (error) {
        if (mayHeal(error) && !this.gaveUpSettling) {
          this.toSettle.unshift(...works);
          await pause(clock, settleRetryMs);
          continue;
        }
        this.end(
          'failed',
          `${works.length} letters were sent and could not be noted, a redrive sends them again: ${textOf(error)}`,
        );
        sender.leftOpen(works);
      }
    }
    this.settling = null;
  }

  private end(state: RedriveState, reason: string): void {
    if (this.state !== 'running') return;
    this.state = state;
    this.reason = reason;
    this.stopping.abort();
    if (state !== 'done') this.parts.sender.callBack([...this.underWay]);
  }
}
