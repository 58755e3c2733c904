// Whose turn it is: of all who want one, whoever stands on the lowest level; on the same level, in turn.

import { Link, LinkedSet } from '../../message/linked-set.js';

/** An item's place in a fair queue; it lives as long as the item. */
export class Turn<T> extends Link<T> {
  /** -1 while it waits for no turn. The queue's to write. */
  level = -1;
}

/** Adding, removing and taking cost the same however many wait. */
export class FairQueue<T> {
  private readonly levels: LinkedSet<T>[] = [];
  private count = 0;
  /** No item stands on a lower level. */
  private lowest = 0;

  constructor(private readonly turnOf: (item: T) => Turn<T>) {}

  get size(): number {
    return this.count;
  }

  /** An item that is in already moves to its new level's end. */
  put(item: T, level: number): void {
    const turn = this.turnOf(item);
    // Alone where it stands: it would come to the same place.
    if (turn.level === level && this.levels[level]?.size === 1) return;
    if (turn.level === -1) this.count += 1;
    turn.level = level;
    for (let next = this.levels.length; next <= level; next += 1) this.levels.push(new LinkedSet(this.turnOf));
    (this.levels[level] as LinkedSet<T>).add(item);
    if (level < this.lowest) this.lowest = level;
  }

  has(item: T): boolean {
    return this.turnOf(item).level !== -1;
  }

  remove(item: T): void {
    const turn = this.turnOf(item);
    if (turn.level === -1) return;
    this.levels[turn.level]?.delete(item);
    turn.level = -1;
    this.count -= 1;
  }

  /** The next one, which stays in; undefined when nobody waits. */
  peek(): T | undefined {
    if (this.count === 0) return undefined;
    for (; this.lowest < this.levels.length; this.lowest += 1) {
      const { first } = this.levels[this.lowest] as LinkedSet<T>;
      if (first !== undefined) return first;
    }
    return undefined;
  }

  clear(): void {
    for (const level of this.levels)
      for (let { first } = level; first !== undefined; { first } = level) this.remove(first);
    this.lowest = 0;
  }
}
