// How many questions are under way to each producer; who has to wait for a slot waits in order. Pure.

/** Of one origin. A producer that does not answer holds no more than these, and nobody else's. */
export const maxPerOrigin = 64;

interface Origin {
  /** Ids of transactions. */
  readonly underWay: Set<string>;
  readonly waiting: Set<string>;
}

export class CheckSlots {
  private readonly origins = new Map<string, Origin>();
  /** Where the question of a transaction is. */
  private readonly places = new Map<string, string>();

  clear(): void {
    this.origins.clear();
    this.places.clear();
  }

  /** False: it waits, and is handed out by `release`. */
  take(id: string, origin: string): boolean {
    this.release(id);
    const { underWay, waiting } = this.of(origin);
    this.places.set(id, origin);
    if (underWay.size < maxPerOrigin) {
      underWay.add(id);
      return true;
    }
    waiting.add(id);
    return false;
  }

  /** A question that was under way before this node kept the transactions. */
  restore(id: string, origin: string): void {
    this.of(origin).underWay.add(id);
    this.places.set(id, origin);
  }

  /** Nothing is asked about it any more; resolves to who has a slot now. */
  release(id: string): string | null {
    const origin = this.places.get(id);
    if (origin === undefined) return null;
    this.places.delete(id);
    const { underWay, waiting } = this.of(origin);
    waiting.delete(id);
    if (!underWay.delete(id)) return null;
    const [next] = waiting;
    if (next !== undefined) {
      waiting.delete(next);
      this.places.delete(next);
    } else if (underWay.size === 0) this.origins.delete(origin);
    return next ?? null;
  }

  private of(name: string): Origin {
    let origin = this.origins.get(name);
    if (origin === undefined) {
      origin = { underWay: new Set(), waiting: new Set() };
      this.origins.set(name, origin);
    }
    return origin;
  }
}
