// A delivery in somebody's hands: until he says how it went, or his time is over.
import type { Clock, Timer } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { newLeaseId } from './lease-id.js';

/** Who is later than this has stood still as a whole: an ack may lie in a socket, unread. */
const lateMs = 50;
/** What a caller who wants the answer gets of one that was acked. */
const nothing = { status: 204, headers: {}, body: Buffer.alloc(0) };

/** How a lease has ended, in words for whoever comes too late. */
export const leaseEnds = ['acked', 'nacked', 'rejected', 'expired', 'taken back'] as const;
export type LeaseEnd = (typeof leaseEnds)[number];

export interface Nack {
  /** Until the next attempt; null: as long as the subscription says. */
  readonly waitMs: number | null;
  /** It is to be a dead letter at once. */
  readonly isRejected: boolean;
  readonly detail: string;
}

export interface LeaseParts {
  /** Which has it. */
  readonly node: string;
  readonly clock: Clock;
  readonly delivery: Delivery;
  /** Who alone may end or extend it. */
  readonly caller: string;
  readonly leaseMs: number;
  readonly ended: (lease: Lease, how: LeaseEnd, outcome: Outcome) => void;
}

export class Lease {
  readonly id: string;
  /** Resolves once it is. */
  readonly over: Promise<void>;
  private readonly tellOver: () => void;
  private readonly startedMs: number;
  /** Clock.elapsedMs(). */
  private endMs: number;
  private timer: Timer;
  private wasLate = false;
  private isOver = false;

  constructor(private readonly parts: LeaseParts) {
    const { node, clock, leaseMs } = parts;
    this.id = newLeaseId(node);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.tellOver = resolve;
    this.startedMs = clock.elapsedMs();
    this.endMs = this.startedMs + leaseMs;
    this.timer = clock.setTimer(leaseMs, () => this.expire());
  }

  get caller(): string {
    return this.parts.caller;
  }

  get delivery(): Delivery {
    return this.parts.delivery;
  }

  /** Unix milliseconds. */
  get untilMs(): number {
    const { clock } = this.parts;
    return Math.round(clock.now() + this.endMs - clock.elapsedMs());
  }

  /** From now on so long, also where that is shorter than what was left. */
  extend(leaseMs: number): void {
    const { clock } = this.parts;
    this.timer.cancel();
    this.endMs = clock.elapsedMs() + leaseMs;
    this.wasLate = false;
    this.timer = clock.setTimer(leaseMs, () => this.expire());
  }

  ack(): void {
    const { replyTo, callbackUrl } = this.delivery;
    const whole = replyTo === null && callbackUrl === null ? {} : { whole: nothing };
    this.end('acked', { kind: 'delivered', status: nothing.status, durationMs: this.durationMs, body: '', ...whole });
  }

  nack({ waitMs, isRejected, detail }: Nack): void {
    const refusal = { ...this.noAnswer, detail };
    if (isRejected) this.end('rejected', { kind: 'rejected', ...refusal });
    else this.end('nacked', { kind: 'retry', reason: 'nack', ...refusal, ...(waitMs === null ? {} : { waitMs }) });
  }

  /** Whose partition it is may have changed: nothing is known of how it went. */
  abort(): void {
    this.end('taken back', { kind: 'aborted' });
  }

  private expire(): void {
    const { clock } = this.parts;
    const overdueMs = clock.elapsedMs() - this.endMs;
    if (overdueMs > lateMs && !this.wasLate) {
      this.wasLate = true;
      this.timer = clock.setTimer(0, () => this.expire());
      return;
    }
    const detail = `the lease of '${this.caller}' ran out`;
    this.end('expired', { kind: 'retry', reason: 'lease', ...this.noAnswer, detail });
  }

  private end(how: LeaseEnd, outcome: Outcome): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer.cancel();
    this.tellOver();
    this.parts.ended(this, how, outcome);
  }

  private get durationMs(): number {
    return this.parts.clock.elapsedMs() - this.startedMs;
  }

  private get noAnswer() {
    return { retryAfterMs: null, status: 0, durationMs: this.durationMs, body: '' };
  }
}
