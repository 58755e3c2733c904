// Reads on, one step after another, while there is more: for one that follows a partition, whichever way.
import type { Clock, Timer } from '../message/clock.js';

/** Where nothing holds up the reading (all of it was settled before), the event loop still gets its turns. */
const stepsPerTurn = 16;
/** After a read, or a handler, that failed: a disk may recover, and nothing else wakes a partition that stands still. */
const retryMs = 1000;

export interface ReadingSteps {
  /** There is something to do, and it may be done. */
  readonly hasMore: () => boolean;
  /** Only while there is. False: there was nothing after all. */
  readonly step: () => boolean | Promise<boolean>;
  readonly failed: (error: unknown) => void;
}

export class ReadingLoop {
  private running: Promise<void> | null = null;
  private retry: Timer | null = null;
  private stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly steps: ReadingSteps,
  ) {}

  get isRunning(): boolean {
    return this.running !== null;
  }

  /** There may be something to do. Costs nothing while it runs, for it goes on to the end, and after a failure it waits. */
  wake(): void {
    if (this.running !== null || this.retry !== null || this.stopped || !this.steps.hasMore()) return;
    this.running = this.run().finally(() => {
      this.running = null;
      // What came between the last step and here woke nobody.
      this.wake();
    });
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
  async stop(): Promise<void> {
    this.halt();
    await this.running;
  }

  private async run(): Promise<void> {
    // Leaves the caller's stack, so that an append is never held up by a delivery.
    await Promise.resolve();
    try {
      for (let steps = 1; !this.stopped && this.steps.hasMore(); steps += 1) {
        const step = this.steps.step();
        if (!(typeof step === 'boolean' ? step : await step)) return;
        if (steps % stepsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      this.steps.failed(error);
      if (!this.stopped) this.tryAgainLater();
    }
  }

  private tryAgainLater(): void {
    this.retry = this.clock.setTimer(retryMs, () => {
      this.retry = null;
      this.wake();
    });
  }
}
