// How often something may go wrong: a bucket a key, in one number each; bounded.

/** Some 10 MB at the most; past it the buckets that were used longest ago begin anew. */
const maxKeys = 65_536;

export class AttemptLimit {
  /** Key to the moment when its bucket is full again. */
  private readonly fullAtMs = new Map<string, number>();
  private readonly everyMs: number;

  /** `burst` at once, and then `perMinute`. */
  constructor(
    perMinute: number,
    private readonly burst: number,
  ) {
    this.everyMs = 60_000 / perMinute;
  }

  /** Whether one more may go wrong now. Takes nothing. */
  allows(key: string, nowMs: number): boolean {
    return (this.fullAtMs.get(key) ?? 0) - nowMs <= (this.burst - 1) * this.everyMs;
  }

  take(key: string, nowMs: number): void {
    const fullAtMs = Math.max(this.fullAtMs.get(key) ?? 0, nowMs) + this.everyMs;
    // What was used last stands last.
    this.fullAtMs.delete(key);
    this.fullAtMs.set(key, fullAtMs);
    if (this.fullAtMs.size <= maxKeys) return;
    const [oldest] = this.fullAtMs.keys();
    if (oldest !== undefined) this.fullAtMs.delete(oldest);
  }

  /** Takes back a take: it did not go wrong. */
  giveBack(key: string): void {
    const fullAtMs = this.fullAtMs.get(key);
    if (fullAtMs !== undefined) this.fullAtMs.set(key, fullAtMs - this.everyMs);
  }
}
