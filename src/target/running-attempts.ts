// The attempts that are under way, by the signal that may abort them; one listener for all that share one.
interface Abortable {
  abort(): void;
}

export class RunningAttempts {
  private readonly running = new WeakMap<AbortSignal, Set<Abortable>>();

  /** Add an attempt to what is returned, and delete it once it has ended. */
  under(signal: AbortSignal): Set<Abortable> {
    const known = this.running.get(signal);
    if (known !== undefined) return known;
    const started = new Set<Abortable>();
    this.running.set(signal, started);
    signal.addEventListener('abort', () => {
      for (const attempt of started) attempt.abort();
    });
    return started;
  }
}
