// Goes through much in steps between which the event loop has its turn: what is asked now and then holds nothing else up.
import { setImmediate } from 'node:timers/promises';
import type { Clock } from './clock.js';

/** Of a step; one thing that takes longer is not broken up. */
const stepMs = 8;

/** Of one piece of work, from its making on. */
export class Steps {
  private begunMs: number;
  private pastMs = 0;

  constructor(private readonly clock: Clock) {
    this.begunMs = clock.elapsedMs();
  }

  /** Milliseconds that its steps have taken, without what others did between them. */
  get spentMs(): number {
    return this.pastMs + this.clock.elapsedMs() - this.begunMs;
  }

  /** The same things one after another, each of which may be the last of a step. */
  async *through<T>(things: Iterable<T>): AsyncGenerator<T, void> {
    for (const thing of things) {
      yield thing;
      if (this.clock.elapsedMs() - this.begunMs >= stepMs) await this.turn();
    }
  }

  private async turn(): Promise<void> {
    this.pastMs = this.spentMs;
    await setImmediate();
    this.begunMs = this.clock.elapsedMs();
  }
}
