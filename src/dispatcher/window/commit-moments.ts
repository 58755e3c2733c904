// When settled windows are committed: all of the process share the moments, so that a thousand of them write hardly more than a few.
import type { Clock, Timer } from '../../message/clock.js';

/** From one moment to the next. What settles within it is committed together. */
const intervalMs = 20;
/** So many windows are committed in a moment, those that wait longest first. */
const fewestAtOnce = 32;
/** Of more than these so many that each has its turn within half a second. */
const mostMoments = 24;

/** Commits windows of its own. */
export interface CommitAsker<W> {
  /** Those in which something has settled. */
  dirty(): Iterable<W>;
  /** It is the window's turn; it may have gone meanwhile. */
  commitInTurn(window: W): void;
}

export class CommitMoments<W> {
  /** Whose windows are looked through at the next moment. */
  private readonly askers = new Set<CommitAsker<W>>();
  /** Whose turn has not come, in the order in which they were found. */
  private readonly waiting = new Map<W, CommitAsker<W>>();
  /** How many have their turn in a moment, until nobody waits any more: were it fewer meanwhile, the last would wait longer than was said. */
  private atOnce = fewestAtOnce;
  private timer: Timer | null = null;

  constructor(private readonly clock: Clock) {}

  /** What is dirty at the next moment is committed then, or has its turn in one of those that follow. */
  ask(asker: CommitAsker<W>): void {
    this.askers.add(asker);
    this.timer ??= this.clock.setTimer(intervalMs, () => this.come());
  }

  /** Nothing of it is committed from here any more. */
  forget(asker: CommitAsker<W>): void {
    this.askers.delete(asker);
    for (const [window, of] of this.waiting) if (of === asker) this.waiting.delete(window);
    if (this.askers.size > 0 || this.waiting.size > 0) return;
    this.timer?.cancel();
    this.timer = null;
  }

  private come(): void {
    this.timer = null;
    // One that waits already keeps its place.
    for (const asker of this.askers) for (const window of asker.dirty()) this.waiting.set(window, asker);
    this.askers.clear();
    this.atOnce = Math.max(this.atOnce, Math.ceil(this.waiting.size / mostMoments));
    let left = this.atOnce;
    for (const [window, asker] of this.waiting) {
      if (left === 0) break;
      left -= 1;
      this.waiting.delete(window);
      asker.commitInTurn(window);
    }
    if (this.waiting.size > 0) this.timer ??= this.clock.setTimer(intervalMs, () => this.come());
    else this.atOnce = fewestAtOnce;
  }
}
