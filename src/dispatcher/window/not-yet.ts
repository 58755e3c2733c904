// Messages whose caller asked for a later moment: until then they wait on disk, or in memory where that is short.
import type { Clock } from '../../message/clock.js';
import { leftToWaitMs } from '../../message/delivery.js';
import { delayTiers } from '../../message/side-topic.js';
import { DueQueue } from '../sending/due-queue.js';
import type { PartitionWindow, Work } from './partition-window.js';

/** Shorter waits are in memory, as long as the window has room for others. */
const shortWaitMs = 10_000;

export interface NotYetParts {
  readonly clock: Clock;
  /** Its time has come; it is in no lane. */
  readonly due: (work: Work) => void;
  readonly batchEnded: () => void;
  /** It waits on disk until its time is near. */
  readonly delay: (work: Work) => void;
  /** True while nothing can be written there. */
  readonly isRefused: () => boolean;
}

/** They are in no lane before their time: nobody waits for them, and they take their place when they are due. */
export class NotYet {
  private readonly queue: DueQueue<Work>;
  /** Whom it was held last for: the two clocks tick apart, and the next one of the same moment must not be due before it. */
  private last = { notBeforeMs: 0, dueMs: 0 };

  constructor(private readonly parts: NotYetParts) {
    this.queue = new DueQueue(parts.clock, (work) => this.due(work), parts.batchEnded);
  }

  /** How many wait in memory. */
  get size(): number {
    return this.queue.size;
  }

  /** False for one that is due, or that was tried before: a retry keeps its place. */
  take(work: Work): boolean {
    const { delivery, resent, window } = work;
    if (delivery.notBeforeMs === 0 || delivery.attempt > 1 || resent !== null) return false;
    const waitMs = leftToWaitMs(delivery, this.parts.clock.now());
    if (waitMs <= 0) return false;
    const isLong = waitMs >= shortWaitMs || (window.isHalfFull && waitMs >= delayTiers[0].ms);
    if (isLong && !this.parts.isRefused()) this.parts.delay(work);
    else this.hold(work, waitMs);
    return true;
  }

  /** Nothing of these windows comes any more. */
  withdraw(windows: ReadonlySet<PartitionWindow>): void {
    for (const window of windows) {
      for (const work of window.works()) if (work.stage === 'not yet') this.queue.remove(work);
    }
  }

  stop(): void {
    this.queue.clear();
  }

  private hold(work: Work, waitMs: number): void {
    work.stage = 'not yet';
    const { notBeforeMs } = work.delivery;
    const dueMs = this.parts.clock.elapsedMs() + waitMs;
    work.stageMs = notBeforeMs === this.last.notBeforeMs ? Math.max(dueMs, this.last.dueMs) : dueMs;
    this.last = { notBeforeMs, dueMs: work.stageMs };
    this.queue.add(work, work.stageMs);
  }

  private due(work: Work): void {
    if (work.window.closed) return;
    work.stage = 'order';
    work.stageMs = this.parts.clock.elapsedMs();
    this.parts.due(work);
  }
}
