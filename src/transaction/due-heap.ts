// What falls due when, the next one first; pure.

interface Item<T> {
  readonly dueMs: number;
  readonly value: T;
}

/** A binary heap. What is no longer wanted stays until its time and is passed over by whoever takes it. */
export class DueHeap<T> {
  private items: Item<T>[] = [];

  get size(): number {
    return this.items.length;
  }

  clear(): void {
    this.items = [];
  }

  add(dueMs: number, value: T): void {
    const { items } = this;
    const item = { dueMs, value };
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as Item<T>;
      if (parent.dueMs <= dueMs) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  /** Undefined while none is due. */
  take(nowMs: number): T | undefined {
    const { items } = this;
    const [first] = items;
    if (first === undefined || first.dueMs > nowMs) return undefined;
    const last = items.pop() as Item<T>;
    if (items.length > 0) this.sink(last);
    return first.value;
  }

  private sink(item: Item<T>): void {
    const { items } = this;
    const { length } = items;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && (items[below + 1] as Item<T>).dueMs < (items[below] as Item<T>).dueMs) below += 1;
      const child = items[below] as Item<T>;
      if (child.dueMs >= item.dueMs) break;
      items[at] = child;
      at = below;
    }
    items[at] = item;
  }
}
