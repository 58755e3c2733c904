// The attempts that are under way, by the signal that may abort them; one listener for all that share one.
import { ReleasingMap } from '../message/releasing-map.js';

interface Abortable {
  abort(): void;
}

/** Under one signal. */
export class StartedAttempts {
  private readonly started = new ReleasingMap<number, Abortable>();
  private last = 0;

  /** Returns what it is ended by. */
  begin(attempt: Abortable): number {
    this.last += 1;
    this.started.set(this.last, attempt);
    return this.last;
  }

  end(started: number): void {
    this.started.delete(started);
  }

  abort(): void {
    for (const attempt of this.started.values()) attempt.abort();
  }
}

export class RunningAttempts {
  private readonly running = new WeakMap<AbortSignal, StartedAttempts>();

  /** Begin an attempt with what is returned, and end it once it is over. */
  under(signal: AbortSignal): StartedAttempts {
    const known = this.running.get(signal);
    if (known !== undefined) return known;
    const started = new StartedAttempts();
    this.running.set(signal, started);
    signal.addEventListener('abort', () => started.abort());
    return started;
  }
}
