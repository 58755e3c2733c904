// The arithmetic of a rate limit; pure, time is handed in.

/** Timers are late by about a millisecond; what falls due in this time is not lost to who waited for it. */
const latenessMs = 10;

/**
 * Holds at most `burst` tokens, begins full, gains `rate` a second. Never below zero: no debt is made. While somebody
 * waits it may hold what falls due in ten milliseconds on top, so that the rate is reached with timers as they are.
 */
export class TokenBucket {
  private level: number;
  private readAtMs: number;
  /** Somebody was told to come back. */
  private isAwaited = false;

  constructor(
    private rate: number,
    private burst: number,
    nowMs: number,
  ) {
    this.level = burst;
    this.readAtMs = nowMs;
  }

  /** Takes a token and returns 0, or takes none and returns the milliseconds until there is one. */
  take(nowMs: number): number {
    this.refill(nowMs);
    // A millionth forgives what rounding loses, else a wait computed to the end could fall short by it.
    if (this.level >= 1 - 1e-6) {
      this.level = Math.max(0, this.level - 1);
      return 0;
    }
    this.isAwaited = true;
    return ((1 - this.level) / this.rate) * 1000;
  }

  isFull(nowMs: number): boolean {
    this.refill(nowMs);
    return this.level >= this.burst;
  }

  /** Puts a token back that was not used. */
  giveBack(): void {
    this.level += 1;
  }

  /** Keeps the level, as far as the new burst allows. */
  adjust(rate: number, burst: number, nowMs: number): void {
    this.refill(nowMs);
    this.rate = rate;
    this.burst = burst;
    this.level = Math.min(this.level, burst);
  }

  private refill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.readAtMs);
    const most = this.isAwaited ? this.burst + (latenessMs / 1000) * this.rate : this.burst;
    const level = this.level + (passedMs / 1000) * this.rate;
    // Who waited comes within moments; after that it is a pause like any other.
    this.isAwaited &&= level < most;
    this.level = Math.min(this.isAwaited ? most : this.burst, level);
    this.readAtMs = nowMs;
  }
}
