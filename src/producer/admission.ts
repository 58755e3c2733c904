// Bounds what waits for the broker at the same moment; pure.

/** Counts and weighs what is inside; refuses at once what would pass a bound. */
export class Admission {
  private waiting = 0;
  private waitingBytes = 0;
  private idle: (() => void)[] = [];

  constructor(
    private maxWaiting: number,
    private maxWaitingBytes: number,
  ) {}

  /** What is inside stays inside, also beyond a lower bound. */
  adjust(maxWaiting: number, maxWaitingBytes: number): void {
    this.maxWaiting = maxWaiting;
    this.maxWaitingBytes = maxWaitingBytes;
  }

  /** True: `bytes` are inside until leave(bytes). One message always fits, however large. */
  enter(bytes: number): boolean {
    if (this.waiting >= this.maxWaiting) return false;
    if (this.waiting > 0 && this.waitingBytes + bytes > this.maxWaitingBytes) return false;
    this.waiting += 1;
    this.waitingBytes += bytes;
    return true;
  }

  leave(bytes: number): void {
    this.waiting -= 1;
    this.waitingBytes -= bytes;
    if (this.waiting === 0 && this.idle.length > 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  /** Resolves when nothing is inside. */
  async empty(): Promise<void> {
    if (this.waiting > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  get size(): number {
    return this.waiting;
  }
}
