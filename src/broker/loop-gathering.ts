// Waits for more of what callers hand over while the event loop is busy, so that many of them share what comes next.
import { performance } from 'node:perf_hooks';
import type { Clock } from '../message/clock.js';

/** As much is worth going at once. */
const enoughBytes = 65_536;
/** No longer than this, looked at once a turn of the loop. */
const maxGatherMs = 2;
/** And so many turns, however long they are. */
const maxGatherTurns = 16;

/** From the first one's turn of the event loop until a turn in which nothing came, or a bound. */
export class LoopGathering {
  private isUnderWay = false;
  private sinceMs = 0;
  private turns = 0;
  private eventsSeen = 0;

  constructor(
    private readonly clock: Clock,
    private readonly gatheredBytes: () => number,
    /** Called once for each time that it was begun. */
    private readonly go: () => void,
    /** How many events the loop has taken so far from its sockets, files and threads. */
    private readonly loopEvents: () => number = () => performance.nodeTiming.uvMetricsInfo.events,
  ) {}

  /** Does nothing while it is under way. */
  begin(): void {
    if (this.isUnderWay) return;
    this.isUnderWay = true;
    this.turns = 0;
    setImmediate(() => this.turnEnds());
  }

  /** An idle loop shows itself by a turn in which no event came: nothing waits then. */
  private turnEnds(): void {
    const events = this.loopEvents();
    const isFirst = this.turns === 0;
    if (isFirst) this.sinceMs = this.clock.elapsedMs();
    const isBusy = isFirst || events !== this.eventsSeen;
    const mayWait = this.gatheredBytes() < enoughBytes && this.turns < maxGatherTurns;
    if (isBusy && mayWait && this.clock.elapsedMs() - this.sinceMs < maxGatherMs) {
      this.eventsSeen = events;
      this.turns += 1;
      setImmediate(() => this.turnEnds());
      return;
    }
    this.isUnderWay = false;
    this.go();
  }
}
