// What waits for its time: a heap with one timer for the earliest.
import type { Clock, Timer } from '../../message/clock.js';

interface Waiting<T> {
  readonly item: T;
  readonly dueMs: number;
  /** Of two that are due at once the one that was added first is first. */
  readonly turn: number;
  at: number;
}

const isEarlier = (a: Waiting<unknown>, b: Waiting<unknown>) =>
  a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.turn < b.turn);

/** Adding and removing cost the logarithm of how many wait. */
export class DueQueue<T extends object> {
  private readonly heap: Waiting<T>[] = [];
  /** Not a Map: one that is left for a larger one would keep for long what stood in it (ReleasingMap). */
  private byItem = new WeakMap<T, Waiting<T>>();
  private timer: Timer | null = null;
  private timerMs = 0;
  private turn = 0;

  constructor(
    private readonly clock: Clock,
    /** Called for each item once its time has come, then `batchEnded` once. */
    private readonly due: (item: T) => void,
    private readonly batchEnded: () => void,
  ) {}

  get size(): number {
    return this.heap.length;
  }

  /** `dueMs` is Clock.elapsedMs(). An item that waits already waits until the new time instead. */
  add(item: T, dueMs: number): void {
    this.remove(item);
    this.turn += 1;
    const waiting = { item, dueMs, turn: this.turn, at: this.heap.length };
    this.byItem.set(item, waiting);
    this.heap.push(waiting);
    this.up(waiting);
    this.arm();
  }

  remove(item: T): void {
    const waiting = this.byItem.get(item);
    if (waiting === undefined) return;
    this.byItem.delete(item);
    const last = this.heap.pop() as Waiting<T>;
    if (last === waiting) return;
    last.at = waiting.at;
    this.heap[last.at] = last;
    this.up(last);
    this.down(last);
  }

  dueOf(item: T): number | null {
    return this.byItem.get(item)?.dueMs ?? null;
  }

  clear(): void {
    this.timer?.cancel();
    this.timer = null;
    this.heap.length = 0;
    this.byItem = new WeakMap();
  }

  private arm(): void {
    const first = this.heap[0];
    if (first === undefined) return;
    if (this.timer !== null) {
      if (this.timerMs <= first.dueMs) return;
      this.timer.cancel();
    }
    this.timerMs = first.dueMs;
    const delayMs = Math.max(0, Math.ceil(first.dueMs - this.clock.elapsedMs()));
    this.timer = this.clock.setTimer(delayMs, () => this.fire());
  }

  private fire(): void {
    this.timer = null;
    const nowMs = this.clock.elapsedMs();
    for (let first = this.heap[0]; first !== undefined && first.dueMs <= nowMs; first = this.heap[0]) {
      this.remove(first.item);
      this.due(first.item);
    }
    this.arm();
    this.batchEnded();
  }

  private up(moving: Waiting<T>): void {
    while (moving.at > 0) {
      const parent = this.heap[(moving.at - 1) >> 1] as Waiting<T>;
      if (isEarlier(parent, moving)) return;
      this.swap(moving, parent);
    }
  }

  private down(moving: Waiting<T>): void {
    for (;;) {
      const left = this.heap[2 * moving.at + 1];
      if (left === undefined) return;
      const right = this.heap[2 * moving.at + 2];
      const child = right !== undefined && isEarlier(right, left) ? right : left;
      if (isEarlier(moving, child)) return;
      this.swap(moving, child);
    }
  }

  private swap(a: Waiting<T>, b: Waiting<T>): void {
    const { at } = a;
    a.at = b.at;
    b.at = at;
    this.heap[a.at] = a;
    this.heap[b.at] = b;
  }
}
