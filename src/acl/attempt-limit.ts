// How often something may happen: a bucket a key, in one number each; bounded.
import { type QuotaRate, quotaAfter, quotaWaitMs } from '../message/quota.js';

/** Some 10 MB at the most; past it the buckets that were used longest ago begin anew. */
const maxKeys = 65_536;

export class AttemptLimit {
  /** Key to the moment when its bucket is full again. */
  private readonly fullAtMs = new Map<string, number>();

  constructor(private readonly rate: QuotaRate) {}

  /** Milliseconds until one more fits, 0 for now. Takes nothing. */
  waitMs(key: string, nowMs: number): number {
    return quotaWaitMs(this.fullAtMs.get(key) ?? 0, 1, nowMs, this.rate);
  }

  take(key: string, nowMs: number): void {
    const fullAtMs = quotaAfter(this.fullAtMs.get(key) ?? 0, 1, nowMs, this.rate);
    // What was used last stands last.
    this.fullAtMs.delete(key);
    this.fullAtMs.set(key, fullAtMs);
    if (this.fullAtMs.size <= maxKeys) return;
    const [oldest] = this.fullAtMs.keys();
    if (oldest !== undefined) this.fullAtMs.delete(oldest);
  }

  /** Takes back a take: it did not count. */
  giveBack(key: string): void {
    const fullAtMs = this.fullAtMs.get(key);
    if (fullAtMs !== undefined) this.fullAtMs.set(key, fullAtMs - 1000 / this.rate.perSecond);
  }

  /** Milliseconds until the bucket is full, 0 when it is. */
  fullInMs(key: string, nowMs: number): number {
    return Math.max(0, (this.fullAtMs.get(key) ?? 0) - nowMs);
  }
}
