// The only source of time and timers, so that tests own both.

export interface Timer {
  cancel(): void;
}

export abstract class Clock {
  /** Unix milliseconds; may jump when the machine's clock is set. */
  abstract now(): number;
  /** Milliseconds since some fixed moment; never goes back. For durations, rates and deadlines. */
  abstract elapsedMs(): number;
  /** Runs `fire` once, not before `delayMs` have passed. */
  abstract setTimer(delayMs: number, fire: () => void): Timer;
}

/** 24 days; who waits longer looks again then. */
const longestDelayMs = 2_147_483_647;

export class SystemClock extends Clock {
  override now(): number {
    return Date.now();
  }

  override elapsedMs(): number {
    return performance.now();
  }

  override setTimer(delayMs: number, fire: () => void): Timer {
    // Node counts whole milliseconds of its loop's time and may be early by one; a longer delay it takes for none at all.
    const wholeMs = delayMs > 0 ? Math.ceil(delayMs) + 1 : 0;
    const handle = setTimeout(fire, Math.min(wholeMs, longestDelayMs));
    return { cancel: () => clearTimeout(handle) };
  }
}

/** Resolves after `delayMs`, or once `signal` aborts. */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', stop);
      resolve();
    });
    const stop = () => {
      timer.cancel();
      resolve();
    };
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Resolves when `work` has ended, however it ended, or after `boundMs`; says which: true for ended. */
export function within(clock: Clock, boundMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(boundMs, () => resolve(false));
    const ended = () => {
      timer.cancel();
      resolve(true);
    };
    work.then(ended, ended);
  });
}
