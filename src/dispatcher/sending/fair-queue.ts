// Whose turn it is: of all who want one, whoever stands on the lowest level; on the same level, in turn.

import { LinkedSet } from '../../message/linked-set.js';

/** Adding, removing and taking cost the same however many wait. */
export class FairQueue<T> {
  private readonly levels: LinkedSet<T>[] = [];
  private readonly levelOf = new Map<T, number>();
  /** No item stands on a lower level. */
  private lowest = 0;

  get size(): number {
    return this.levelOf.size;
  }

  /** An item that is in already moves to its new level's end. */
  put(item: T, level: number): void {
    // Alone where it stands: it would come to the same place.
    if (this.levelOf.get(item) === level && this.levels[level]?.size === 1) return;
    this.remove(item);
    for (let next = this.levels.length; next <= level; next += 1) this.levels.push(new LinkedSet());
    (this.levels[level] as LinkedSet<T>).add(item);
    this.levelOf.set(item, level);
    if (level < this.lowest) this.lowest = level;
  }

  has(item: T): boolean {
    return this.levelOf.has(item);
  }

  remove(item: T): void {
    const level = this.levelOf.get(item);
    if (level === undefined) return;
    this.levelOf.delete(item);
    this.levels[level]?.delete(item);
  }

  /** The next one, which stays in; undefined when nobody waits. */
  peek(): T | undefined {
    if (this.levelOf.size === 0) return undefined;
    for (; this.lowest < this.levels.length; this.lowest += 1) {
      const { first } = this.levels[this.lowest] as LinkedSet<T>;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  clear(): void {
    this.levels.length = 0;
    this.levelOf.clear();
    this.lowest = 0;
  }
}
