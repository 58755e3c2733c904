// What operators have paused: whole subscriptions, or destinations of them.

/** A destination of a subscription; the whole subscription when `destination` is null. */
export interface PausePlace {
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string | null;
}

export interface Paused extends PausePlace {
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

/** The present state, in memory; who persists it is told in dispatcher/control-log. */
export class Pauses {
  private readonly paused = new Map<string, Paused>();
  private readonly listeners = new Map<string, Set<() => void>>();

  /** Unix milliseconds since which it is paused, null when it is not. */
  since(place: PausePlace): number | null {
    // Asked twice an attempt, of a name that is made anew each time.
    return this.paused.size === 0 ? null : (this.paused.get(nameOf(place))?.sinceMs ?? null);
  }

  pause(place: PausePlace, sinceMs: number): void {
    const name = nameOf(place);
    if (!this.paused.has(name)) this.paused.set(name, { ...place, sinceMs });
  }

  /** Whoever waits for it may ask again. */
  resume(place: PausePlace): void {
    const name = nameOf(place);
    if (!this.paused.delete(name)) return;
    for (const wake of this.listeners.get(name) ?? []) wake();
  }

  all(): Paused[] {
    return [...this.paused.values()];
  }

  /** Calls `wake` at each resume, until the returned function is called. */
  listen(place: PausePlace, wake: () => void): () => void {
    const name = nameOf(place);
    const listeners = this.listeners.get(name) ?? new Set();
    listeners.add(wake);
    this.listeners.set(name, listeners);
    return () => {
      listeners.delete(wake);
      if (listeners.size === 0) this.listeners.delete(name);
    };
  }
}

const nameOf = ({ topic, groupId, destination }: PausePlace) => `${topic} ${groupId} ${destination ?? ''}`;
