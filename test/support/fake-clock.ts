// A clock that the test moves.
import { Clock, type Timer } from '#src/message/clock.js';

interface Due extends Timer {
  readonly atMs: number;
  readonly delayMs: number;
  /** Among timers of the same moment the one that was set first fires first. */
  readonly turn: number;
  readonly fire: () => void;
  isCancelled: boolean;
}

const isEarlier = (a: Due, b: Due) => a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);

/** Setting, cancelling and firing cost the logarithm of how many timers there are: simulations set millions. */
export class FakeClock extends Clock {
  /** The earliest is at 0; cancelled ones stay until their time has come. */
  private readonly heap: Due[] = [];
  private readonly byDelay = new Map<number, number>();
  private turn = 0;
  private count = 0;

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
    this.turn += 1;
    const timer: Due = {
      atMs: this.nowMs + delayMs,
      delayMs,
      turn: this.turn,
      fire,
      isCancelled: false,
      cancel: () => this.forget(timer),
    };
    this.note(timer, 1);
    this.push(timer);
    return timer;
  }

  get pending(): number {
    return this.count;
  }

  /** How many timers that were set with this delay have neither fired nor been cancelled. */
  pendingOf(delayMs: number): number {
    return this.byDelay.get(delayMs) ?? 0;
  }

  /** Moves time and fires what falls due on the way, in its order. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    for (let next = this.heap[0]; next !== undefined && next.atMs <= end; next = this.heap[0]) {
      this.pop();
      if (next.isCancelled) continue;
      this.forget(next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fire();
    }
    this.nowMs = end;
  }

  private forget(timer: Due): void {
    if (timer.isCancelled) return;
    timer.isCancelled = true;
    this.note(timer, -1);
  }

  private note({ delayMs }: Due, change: number): void {
    this.count += change;
    const count = this.pendingOf(delayMs) + change;
    if (count === 0) this.byDelay.delete(delayMs);
    else this.byDelay.set(delayMs, count);
  }

  private push(timer: Due): void {
    const { heap } = this;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = heap[(at - 1) >> 1] as Due;
      if (isEarlier(parent, timer)) break;
      heap[at] = parent;
    }
    heap[at] = timer;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = heap[left + 1];
      const child = right !== undefined && isEarlier(right, heap[left] as Due) ? left + 1 : left;
      const below = heap[child];
      if (below === undefined || isEarlier(last, below)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
  }
}
