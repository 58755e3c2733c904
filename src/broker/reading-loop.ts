// Reads on, one step after another, while there is more: for one that follows a partition, whichever way.
import type { Clock, Timer } from '../message/clock.js';

/** Where nothing holds up the reading (all of it was settled before), the event loop still gets its turns. */
const stepsPerTurn = 16;
/** After a read, or a handler, that failed: a disk may recover, and nothing else wakes a partition that stands still. */
const retryMs = 1000;
/** Cheaper than queueMicrotask, which Node gives a resource of its own. */
const soon = Promise.resolve();

export interface ReadingSteps {
  /** There is something to do, and it may be done. */
  readonly hasMore: () => boolean;
  /** Only while there is. False: there was nothing after all. */
  readonly step: () => boolean | Promise<boolean>;
  readonly failed: (error: unknown) => void;
}

export class ReadingLoop {
  private running = false;
  private retry: Timer | null = null;
  private stopped = false;
  private steps = 0;
  /** Who waits for the step under way. */
  private ended: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly parts: ReadingSteps,
  ) {}

  get isRunning(): boolean {
    return this.running;
  }

  /** There may be something to do. Costs nothing while it runs, for it goes on to the end, and after a failure it waits. */
  wake(): void {
    if (this.running || this.retry !== null || this.stopped || !this.parts.hasMore()) return;
    this.running = true;
    this.steps = 0;
    // Leaves the caller's stack, so that an append is never held up by a delivery.
    void soon.then(this.goOn);
  }

  /** A failure is no reason to wait any more. */
  forgetFailure(): void {
    this.retry?.cancel();
    this.retry = null;
  }

  /** For good; no step begins from now on. */
  halt(): void {
    this.stopped = true;
    this.forgetFailure();
  }

  /** No step is under way after the promise has resolved. */
  stop(): Promise<void> {
    this.halt();
    return this.running ? new Promise((resolve) => this.ended.push(resolve)) : soon;
  }

  /** Where messages come one by one each pays for all of this: a promise is made only where a step made one. */
  private readonly goOn = (): void => {
    try {
      while (!this.stopped && this.parts.hasMore()) {
        const step = this.parts.step();
        if (typeof step !== 'boolean') {
          step.then(this.stepped, this.failed);
          return;
        }
        if (!step) {
          this.end();
          // What came meanwhile woke nobody.
          this.wake();
          return;
        }
        if (this.isTurnOver()) return;
      }
    } catch (error) {
      this.failed(error);
      return;
    }
    this.end();
  };

  private readonly stepped = (goesOn: boolean): void => {
    if (!goesOn) {
      this.end();
      this.wake();
    } else if (!this.isTurnOver()) this.goOn();
  };

  private isTurnOver(): boolean {
    this.steps += 1;
    if (this.steps % stepsPerTurn !== 0) return false;
    setImmediate(this.goOn);
    return true;
  }

  private readonly failed = (error: unknown): void => {
    this.parts.failed(error);
    if (!this.stopped) this.tryAgainLater();
    this.end();
  };

  private end(): void {
    this.running = false;
    for (const resolve of this.ended.splice(0)) resolve();
  }

  private tryAgainLater(): void {
    this.retry = this.clock.setTimer(retryMs, () => {
      this.retry = null;
      this.wake();
    });
  }
}
