// What was found out lately, so that it need not be found out again: bounded, and what is asked for again stays.

/**
 * Two generations: a full one becomes the older, and the one before it is forgotten. The last `most` keys that were asked for are known,
 * at most twice as many are kept, and of those that have a weight at most twice `heaviest`.
 */
export class RecentMap<K, V extends NonNullable<unknown> | null> {
  private newer = new Map<K, V>();
  private older = new Map<K, V>();
  private weight = 0;

  constructor(
    private readonly most: number,
    private readonly heaviest = Number.POSITIVE_INFINITY,
    private readonly weightOf: (key: K) => number = () => 0,
  ) {}

  get size(): number {
    return this.newer.size + this.older.size;
  }

  get(key: K): V | undefined {
    const value = this.newer.get(key);
    if (value !== undefined) return value;
    const before = this.older.get(key);
    if (before !== undefined) this.set(key, before);
    return before;
  }

  set(key: K, value: V): void {
    if (this.newer.size >= this.most || this.weight >= this.heaviest) {
      this.older = this.newer;
      this.newer = new Map();
      this.weight = 0;
    }
    this.newer.set(key, value);
    this.weight += this.weightOf(key);
  }

  clear(): void {
    this.newer.clear();
    this.older.clear();
    this.weight = 0;
  }
}
