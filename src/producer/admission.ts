// Bounds what waits for the broker at the same moment; pure.

/** Counts and weighs what is inside; refuses at once what would pass a bound. */
export class Admission {
  private waiting = 0;
  private waitingBytes = 0;

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
  }

  get size(): number {
    return this.waiting;
  }
}
