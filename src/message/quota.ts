// How many calls a caller may make: a token bucket in one number, and how an answer tells of it.

/** So many a second, and so many at once after a pause. */
export interface QuotaRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What a caller is told that has to come back later. */
export interface Throttle {
  /** Whole seconds, at least 1. */
  readonly retryAfterS: number;
  /** `retry-after`, and `ratelimit` and `ratelimit-policy` as the IETF's draft 10 has them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Milliseconds until `count` more fit, 0 for now. Whoever wants more than the burst waits for a full bucket, and then owes the rest. */
export function quotaWaitMs(fullAtMs: number, count: number, nowMs: number, { perSecond, burst }: QuotaRate): number {
  const roomMs = (Math.max(burst - count, 0) * 1000) / perSecond;
  return Math.max(0, fullAtMs - nowMs - roomMs);
}

/** When the bucket is full again after `count` more. */
export function quotaAfter(fullAtMs: number, count: number, nowMs: number, { perSecond }: QuotaRate): number {
  return Math.max(fullAtMs, nowMs) + (count * 1000) / perSecond;
}

export class Quota {
  private fullAtMs = 0;

  constructor(
    private readonly name: string,
    private rate: QuotaRate,
  ) {}

  /** Null when that many may come now, which are counted; else what to say, and nothing is counted. */
  take(count: number, nowMs: number): Throttle | null {
    const waitMs = quotaWaitMs(this.fullAtMs, count, nowMs, this.rate);
    if (waitMs > 0) return throttleOf(this.name, this.rate, waitMs, this.fullAtMs - nowMs);
    this.fullAtMs = quotaAfter(this.fullAtMs, count, nowMs, this.rate);
    return null;
  }

  /** What was used stays used. */
  adjust(rate: QuotaRate, nowMs: number): void {
    const used = (Math.max(0, this.fullAtMs - nowMs) / 1000) * this.rate.perSecond;
    this.fullAtMs = nowMs + (Math.min(used, rate.burst) * 1000) / rate.perSecond;
    this.rate = rate;
  }
}

/** `fullMs`: until the bucket is full again. */
export function throttleOf(name: string, rate: QuotaRate, waitMs: number, fullMs: number): Throttle {
  const { perSecond, burst } = rate;
  const left = Math.max(0, Math.floor(burst - (fullMs / 1000) * perSecond));
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
  // A quota is whole; the window is as long as the bucket takes to fill.
  const windowS = Math.max(1, Math.round(burst / perSecond));
  return {
    retryAfterS,
    headers: {
      'retry-after': `${retryAfterS}`,
      ratelimit: `"${name}";r=${left};t=${retryAfterS}`,
      'ratelimit-policy': `"${name}";q=${Math.max(1, Math.floor(burst))};w=${windowS}`,
    },
  };
}
