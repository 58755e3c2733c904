// The arithmetic of a rate limit; pure, time is handed in.

/** Holds at most `burst` tokens, begins full, gains `rate` a second. Never below zero: no debt is made. */
export class TokenBucket {
  private level: number;
  private readAtMs: number;

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
    return ((1 - this.level) / this.rate) * 1000;
  }

  isFull(nowMs: number): boolean {
    this.refill(nowMs);
    return this.level >= this.burst;
  }

  /** Puts a token back that was not used. */
  giveBack(): void {
    this.level = Math.min(this.burst, this.level + 1);
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
    this.level = Math.min(this.burst, this.level + (passedMs / 1000) * this.rate);
    this.readAtMs = Math.max(this.readAtMs, nowMs);
  }
}
