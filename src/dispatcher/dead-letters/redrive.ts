// Sends dead letters again: paced, a few first, and no more once too many of them fail.
import { randomUUID } from 'node:crypto';
import type { Broker } from '../../broker/broker.js';
import { type Clock, pause } from '../../message/clock.js';
import { textOf } from '../../message/errors.js';
import { messageHeader, type StoredMessage } from '../../message/message.js';
import { withSideNote } from '../../message/side-message.js';
import { TokenBucket } from '../../policy/token-bucket.js';
import { originOfLetter, withoutHistory } from './dead-letter.js';
import type { DeadLetterBox, LetterRange } from './dead-letter-box.js';

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

/** How a redrive stands. Letters that were not sent stay where they are. */
export interface RedriveReport {
  readonly id: string;
  readonly state: RedriveState;
  readonly reason: string;
  readonly total: number;
  readonly sent: number;
  /** First attempts that ended. */
  readonly delivered: number;
  readonly failed: number;
}

/** What is under way and unanswered beyond the canary, of all letters. */
const uncertainShare = 0.05;
/** Letters that are read at a time. */
const readAhead = 200;
/** How often it is looked whether answers have come. */
const lookMs = 50;

export interface RedriveParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly box: DeadLetterBox;
  /** Where the subscription reads what was moved. */
  readonly overflowTopic: string;
  readonly order: RedriveOrder;
}

export class Redrive {
  readonly id = randomUUID();
  private state: RedriveState = 'running';
  private reason = '';
  private total = 0;
  private sent = 0;
  private delivered = 0;
  private failed = 0;
  /** Ids of letters that were sent and whose first attempt has not ended. */
  private readonly open = new Set<string>();
  private readonly stopping = new AbortController();
  private readonly bucket: TokenBucket;

  constructor(private readonly parts: RedriveParts) {
    const { perSecond } = parts.order;
    this.bucket = new TokenBucket(perSecond, Math.max(1, perSecond / 100), parts.clock.elapsedMs());
  }

  get report(): RedriveReport {
    const { id, state, reason, total, sent, delivered, failed } = this;
    return { id, state, reason, total, sent, delivered, failed };
  }

  /** The first attempt of one of its letters has ended. */
  attempted(id: string, went: 'well' | 'wrong'): void {
    if (!this.open.delete(id)) return;
    if (went === 'well') this.delivered += 1;
    else this.failed += 1;
  }

  /** What was not sent stays. */
  stop(): void {
    if (this.state === 'running') this.end('stopped', 'stopped by an operator');
  }

  /** Ends by itself; never rejects. */
  async run(): Promise<void> {
    try {
      await this.sendAll();
      if (this.state === 'running') await this.answers(0);
      this.judge();
      if (this.state === 'running') this.end('done', '');
    } catch (error) {
      this.end('failed', textOf(error));
    }
  }

  private async sendAll(): Promise<void> {
    const { box, order } = this.parts;
    const parts = box.partsOf(order.range);
    this.total = parts.reduce((sum, { open }) => sum + Number(open), 0);
    const canary = Math.max(1, Math.ceil(this.total * order.canary));
    for (const { partition, from: first, to } of parts) {
      let from = first;
      while (this.state === 'running') {
        const letters = await box.read({ partition, from, to }, readAhead);
        const last = letters.at(-1);
        if (last === undefined) break;
        for (const letter of letters) await this.sendNext(letter, canary);
        from = last.offset + 1n;
      }
    }
  }

  private async sendNext(letter: StoredMessage, canary: number): Promise<void> {
    if (this.state !== 'running') return;
    // All of the canary is answered before anything follows it; after that a few may be open.
    if (this.sent === canary) await this.answers(0);
    else if (this.sent > canary) await this.answers(Math.max(1, Math.floor(this.total * uncertainShare)) - 1);
    this.judge();
    await this.pace();
    if (this.state !== 'running') return;
    await this.send(letter);
    this.sent += 1;
  }

  /** Until no more than so many first attempts are open. */
  private async answers(open: number): Promise<void> {
    while (this.state === 'running' && this.open.size > open) {
      await pause(this.parts.clock, lookMs, this.stopping.signal);
      this.judge();
    }
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
    for (let waitMs = this.bucket.take(clock.elapsedMs()); waitMs > 0 && this.state === 'running'; ) {
      await pause(clock, waitMs, this.stopping.signal);
      waitMs = this.bucket.take(clock.elapsedMs());
    }
  }

  /** To the subscription's own overflow, never to the origin, whose other groups have had it. Settled here after that. */
  private async send(letter: StoredMessage): Promise<void> {
    const { broker, box, overflowTopic } = this.parts;
    const { topic, partition, offset, key, body } = letter;
    const original = { ...letter, headers: withoutHistory(letter.headers) };
    const note = {
      from: { topic, partition, offset },
      origin: originOfLetter(letter),
      owner: `redrive-${this.id}`,
      hop: 1,
      attempts: 0,
      redelivery: 'redrive',
      firstAttemptMs: 0,
      notBeforeMs: 0,
    };
    const id = letter.headers[messageHeader.id] ?? `${topic}-${partition}-${offset}`;
    const headers = withSideNote(original, note, id);
    this.open.add(id);
    await broker.append([{ topic: overflowTopic, partition, key, body, headers }], -1);
    await box.settle(partition, [[offset, offset + 1n]]);
  }

  private end(state: RedriveState, reason: string): void {
    this.state = state;
    this.reason = reason;
    this.stopping.abort();
  }
}
