// Whether one receiver agrees to deliveries, as far as it has said; and how many a minute.
import type { Hold } from '../../policy/policy.js';
import { TokenBucket } from '../../policy/token-bucket.js';
import type { ConsentAnswer } from './consent-answer.js';

/** After an answer without consent: doubled each time, up to the longest; half of it by chance. */
const firstPauseMs = 1000;
const longestPauseMs = 300_000;
/** Of the time that a consent holds, the part in which it is asked for anew. */
const renewalShare = 0.1;
/** Requests are spread over the minute; what falls due while a timer is late is not lost. */
const latenessSeconds = 0.01;

/**
 * Not asked → asked → granted, or asked again after a pause. A consent ends with its time, or when the receiver says no as it
 * is asked anew; while it is silent then, its word holds to its end. Times are Clock.elapsedMs().
 */
export class Consent {
  /** Called when whoever was held may ask again. */
  readonly waiting = new Set<() => void>();
  private grant: { readonly untilMs: number; readonly renewMs: number } | null = null;
  private allowed: { readonly perMinute: number; readonly bucket: TokenBucket } | null = null;
  private isAsked = false;
  private tries = 0;
  private askAgainMs = Number.NEGATIVE_INFINITY;
  private why = 'it has not been asked yet';
  private sinceMs: number;
  private said = '';

  constructor(
    readonly name: string,
    nowMs: number,
  ) {
    this.sinceMs = nowMs;
  }

  isGranted(nowMs: number): boolean {
    return this.grant !== null && nowMs < this.grant.untilMs;
  }

  /** True when it is to be asked now. */
  isDue(nowMs: number): boolean {
    if (this.isAsked || nowMs < this.askAgainMs) return false;
    return this.grant === null || nowMs >= this.grant.renewMs;
  }

  /** While it is not granted. */
  hold(nowMs: number): Hold {
    if (this.isAsked) return { reason: 'consent', untilMs: null, detail: 'asked for its consent, no answer yet' };
    const untilMs = Math.max(nowMs, this.askAgainMs);
    return { reason: 'consent', untilMs, detail: `no consent: ${this.why}` };
  }

  /** What is told of it while it is not granted. */
  state(nowMs: number): { why: string; sinceMs: number; nextMs: number | null } | null {
    if (this.isGranted(nowMs)) return null;
    // Who is due is asked by whoever wants to send next.
    const nextMs = this.isAsked || this.askAgainMs <= this.sinceMs ? null : this.askAgainMs;
    return { why: this.why, sinceMs: this.sinceMs, nextMs };
  }

  get perMinute(): number | null {
    return this.allowed?.perMinute ?? null;
  }

  /** 0 for leave to send one more, else the milliseconds to wait. `share`: of the receiver's allowance, what is this node's. */
  take(nowMs: number, share: number): number {
    if (this.allowed === null) return 0;
    const { perMinute, bucket } = this.allowed;
    const perSecond = (perMinute / 60) * share;
    bucket.adjust(perSecond, burstOf(perSecond), nowMs);
    return bucket.take(nowMs);
  }

  giveBack(): void {
    this.allowed?.bucket.giveBack();
  }

  asked(): void {
    this.isAsked = true;
  }

  /** `ttlMs`: how long a consent holds; `random` in [0, 1). True when it says something else than the time before. */
  answered(answer: ConsentAnswer, nowMs: number, ttlMs: number, random: number): boolean {
    this.isAsked = false;
    const said = JSON.stringify(answer);
    const isNews = answer.kind !== 'stopped' && said !== this.said;
    if (isNews) this.said = said;
    if (answer.kind === 'granted') this.agreed(answer.perMinute, nowMs, ttlMs);
    else if (answer.kind !== 'stopped') this.pause(answer, nowMs, random);
    for (const wake of this.waiting) wake();
    return isNews;
  }

  private agreed(perMinute: number | null, nowMs: number, ttlMs: number): void {
    this.grant = { untilMs: nowMs + ttlMs, renewMs: nowMs + ttlMs * (1 - renewalShare) };
    this.tries = 0;
    this.askAgainMs = Number.NEGATIVE_INFINITY;
    this.sinceMs = nowMs;
    this.why = 'its consent has run out';
    if (perMinute === null) this.allowed = null;
    else {
      const perSecond = perMinute / 60;
      const bucket = this.allowed?.bucket ?? new TokenBucket(perSecond, burstOf(perSecond), nowMs);
      this.allowed = { perMinute, bucket };
    }
  }

  private pause({ kind, why }: Extract<ConsentAnswer, { why: string }>, nowMs: number, random: number): void {
    if (kind === 'refused') this.grant = null;
    this.tries += 1;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.tries - 1, 20));
    this.askAgainMs = nowMs + pauseMs * (1 - random / 2);
    this.why = why;
    this.sinceMs = nowMs;
  }
}

const burstOf = (perSecond: number) => 1 + perSecond * latenessSeconds;
