// When settled windows are committed: all of the process share the moments, so that a thousand of them write hardly more than a few.
import type { Clock, Timer } from '../../message/clock.js';

/** From one moment to the next. What settles within it is committed together. */
const intervalMs = 20;
/** No more than these are committed all at once; of more each waits for its turn, so that a mark speaks for as much as it may. */
const mostAtOnce = 32;
const fewestInTurns = 8;
/** Of many more so many that each has its turn within half a second. */
const mostMoments = 24;

/** Commits windows of its own. */
export interface CommitAsker<W> {
  /** It is the window's turn; it may have gone meanwhile. */
  commitInTurn(window: W): void;
}

export class CommitMoments<W> {
  /** Whose turn has not come, in the order in which they were asked for. */
  private readonly waiting = new Map<W, CommitAsker<W>>();
  /** How many have their turn in a moment, until few wait: were it fewer meanwhile, the last would wait longer than was said. */
  private inTurns = fewestInTurns;
  private timer: Timer | null = null;

  constructor(private readonly clock: Clock) {}

  /** The window is committed at the next moment, or in one of those that follow. One that waits already keeps its place. */
  ask(asker: CommitAsker<W>, window: W): void {
    if (this.waiting.has(window)) return;
    this.waiting.set(window, asker);
    this.timer ??= this.clock.setTimer(intervalMs, () => this.come());
  }

  /** Nothing of it is committed from here any more. */
  forget(asker: CommitAsker<W>): void {
    for (const [window, of] of this.waiting) if (of === asker) this.waiting.delete(window);
    if (this.waiting.size > 0) return;
    this.timer?.cancel();
    this.timer = null;
  }

  private come(): void {
    this.timer = null;
    let left = this.countOfMoment();
    for (const [window, asker] of this.waiting) {
      if (left === 0) break;
      left -= 1;
      this.waiting.delete(window);
      asker.commitInTurn(window);
    }
    if (this.waiting.size > 0) this.timer ??= this.clock.setTimer(intervalMs, () => this.come());
  }

  private countOfMoment(): number {
    const { size } = this.waiting;
    const isFew = size <= mostAtOnce;
    this.inTurns = isFew ? fewestInTurns : Math.max(this.inTurns, Math.ceil(size / mostMoments));
    return isFew ? size : this.inTurns;
  }
}
