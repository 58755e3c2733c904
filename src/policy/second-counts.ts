// Two counts over the last seconds, in buckets of one second; pure, time is handed in.

/** Memory: two numbers for each second of the window. */
export class SecondCounts {
  private readonly firsts: Uint32Array;
  private readonly seconds: Uint32Array;
  private newest: number;
  private firstTotal = 0;
  private secondTotal = 0;

  constructor(
    private readonly windowSeconds: number,
    nowMs: number,
  ) {
    this.firsts = new Uint32Array(windowSeconds);
    this.seconds = new Uint32Array(windowSeconds);
    this.newest = Math.floor(nowMs / 1000);
  }

  /** Counts in the second of `nowMs`; negative numbers take back what was counted in the same second. */
  add(first: number, second: number, nowMs: number): void {
    this.slide(nowMs);
    this.firstTotal += this.addTo(this.firsts, first);
    this.secondTotal += this.addTo(this.seconds, second);
  }

  /** The sums over the window that ends with the second of `nowMs`. */
  totals(nowMs: number): readonly [first: number, second: number] {
    this.slide(nowMs);
    return [this.firstTotal, this.secondTotal];
  }

  /** What the sums will be at each of the coming seconds if nothing more is counted; the first entry is one second ahead. */
  *ahead(nowMs: number): Generator<readonly [first: number, second: number]> {
    let [first, second] = this.totals(nowMs);
    for (let i = 1; i <= this.windowSeconds; i += 1) {
      const at = (this.newest + i) % this.windowSeconds;
      first -= this.firsts[at] as number;
      second -= this.seconds[at] as number;
      yield [first, second];
    }
  }

  /** Returns what was really added: no bucket goes below zero. */
  private addTo(buckets: Uint32Array, count: number): number {
    const at = this.newest % this.windowSeconds;
    const before = buckets[at] as number;
    const after = Math.max(0, before + count);
    buckets[at] = after;
    return after - before;
  }

  /** A clock that goes back counts into the newest second. */
  private slide(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const steps = Math.min(second - this.newest, this.windowSeconds);
    for (let i = 1; i <= steps; i += 1) {
      const at = (this.newest + i) % this.windowSeconds;
      this.firstTotal -= this.firsts[at] as number;
      this.secondTotal -= this.seconds[at] as number;
      this.firsts[at] = 0;
      this.seconds[at] = 0;
    }
    if (second > this.newest) this.newest = second;
  }
}
