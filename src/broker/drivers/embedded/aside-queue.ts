// What is appended while no caller waits for it: it goes with what callers append, a little at a time, or soon by itself.
import type { Clock, Timer } from '../../../message/clock.js';

/** Of one transaction, or one larger append: some 4 ms. */
const maxTakenBytes = 262_144;
/** How long it waits for a caller's append to go with; where none has come for as long, it does not wait. */
const waitMs = 10;

export class AsideQueue<A extends { readonly size: number }> {
  private appends: A[] = [];
  private bytes = 0;
  /** Since when the oldest has waited, and when a caller appended last (Clock.elapsedMs). */
  private sinceMs = 0;
  private lastCallMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | null = null;

  constructor(
    private readonly clock: Clock,
    /** It is due. */
    private readonly wake: () => void,
  ) {}

  get isEmpty(): boolean {
    return this.appends.length === 0;
  }

  /** It is worth a write of its own. */
  get isDue(): boolean {
    const nowMs = this.clock.elapsedMs();
    const hasWaited = nowMs - this.sinceMs >= waitMs || nowMs - this.lastCallMs >= waitMs;
    return !this.isEmpty && (hasWaited || this.bytes >= maxTakenBytes);
  }

  callerCame(): void {
    this.lastCallMs = this.clock.elapsedMs();
  }

  push(append: A): void {
    if (this.isEmpty) this.sinceMs = this.clock.elapsedMs();
    this.appends.push(append);
    this.bytes += append.size;
    if (this.isDue) this.wake();
    else this.wakeLater();
  }

  /** The oldest, for one transaction. */
  take(): A[] {
    let bytes = 0;
    let count = 0;
    for (const { size } of this.appends) {
      if (count > 0 && bytes + size > maxTakenBytes) break;
      bytes += size;
      count += 1;
    }
    this.bytes -= bytes;
    const taken = this.appends.splice(0, count);
    this.sinceMs = this.clock.elapsedMs();
    if (!this.isEmpty) this.wakeLater();
    return taken;
  }

  /** All that are meant, in their order. */
  remove(isMeant: (append: A) => boolean): A[] {
    const removed = this.appends.filter(isMeant);
    if (removed.length === 0) return removed;
    this.appends = this.appends.filter((append) => !isMeant(append));
    for (const { size } of removed) this.bytes -= size;
    return removed;
  }

  private wakeLater(): void {
    this.timer ??= this.clock.setTimer(waitMs, () => {
      this.timer = null;
      if (this.isDue) this.wake();
      // It was set for one that has gone since.
      else if (!this.isEmpty) this.wakeLater();
    });
  }
}
