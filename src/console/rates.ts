// From counters that grow to rates a second, between one look and the next; pure, time is handed in.

export class Rates {
  private before = new Map<string, number>();
  private now = new Map<string, number>();
  private seconds = 0;

  constructor(private atMs: number) {}

  begin(nowMs: number): void {
    this.seconds = (nowMs - this.atMs) / 1000;
    this.atMs = nowMs;
    this.now = new Map();
  }

  /** 0 for a counter that is new, and for one that has begun again. */
  of(name: string, value: number): number {
    this.now.set(name, value);
    const before = this.before.get(name);
    if (before === undefined || this.seconds <= 0) return 0;
    return Math.max(0, (value - before) / this.seconds);
  }

  /** What was not asked for since `begin` is forgotten. */
  end(): void {
    this.before = this.now;
  }
}
