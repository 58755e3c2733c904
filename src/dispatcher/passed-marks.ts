// Moves marks past what their subscriptions do not want: a few at a time, so that thousands of them write no more than one does.
import type { Clock, Timer } from '../message/clock.js';
import type { GroupRunner } from './group-runner.js';
import { passedCommitMs } from './window/committer.js';

/** Each time; who is not among them has its turn the next time. */
const maxCommits = 256;

/** With n windows of which all have moved on, each of them is committed every n / 256 seconds, and at the end. */
export class PassedMarks {
  private timer: Timer | null = null;
  private turn = 0;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly runners: () => readonly GroupRunner[],
  ) {}

  /** Until `stop`. */
  start(): void {
    if (this.stopped) return;
    this.timer = this.clock.setTimer(passedCommitMs, () => {
      this.commitSome();
      this.start();
    });
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private commitSome(): void {
    const runners = this.runners();
    let commits = 0;
    for (let asked = 0; asked < runners.length && commits < maxCommits; asked += 1) {
      this.turn = (this.turn + 1) % runners.length;
      commits += runners[this.turn]?.commitPassedOver() ?? 0;
    }
  }
}
