// A clock that the test moves.
import { Clock, type Timer } from '#src/message/clock.js';

interface Due extends Timer {
  readonly atMs: number;
  readonly fire: () => void;
}

export class FakeClock extends Clock {
  private due: Due[] = [];

  constructor(private nowMs = 1_700_000_000_000) {
    super();
  }

  override now(): number {
    return this.nowMs;
  }

  override elapsedMs(): number {
    return this.nowMs;
  }

  override setTimer(delayMs: number, fire: () => void): Timer {
    const timer: Due = {
      atMs: this.nowMs + delayMs,
      fire,
      cancel: () => {
        this.due = this.due.filter((other) => other !== timer);
      },
    };
    this.due.push(timer);
    return timer;
  }

  get pending(): number {
    return this.due.length;
  }

  /** Moves time and fires what falls due on the way, in its order. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (;;) {
      const next = this.due.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      next.cancel();
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fire();
    }
    this.nowMs = end;
  }
}
