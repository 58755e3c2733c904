// What is under way under a signal that may abort it: one listener for all of it.

interface Abortable {
  abort(): void;
}

export class Running<T extends Abortable> {
  private readonly bySignal = new WeakMap<AbortSignal, Set<T>>();

  /** Whoever is added there is aborted with the signal, unless it was taken out before. */
  under(signal: AbortSignal): Set<T> {
    const known = this.bySignal.get(signal);
    if (known !== undefined) return known;
    const running = new Set<T>();
    this.bySignal.set(signal, running);
    signal.addEventListener('abort', () => {
      for (const one of running) one.abort();
    });
    return running;
  }
}
