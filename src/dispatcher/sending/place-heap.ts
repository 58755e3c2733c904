// A heap whose items know their place in it, so that any of them moves or leaves at the cost of a logarithm.

export interface Placed {
  /** Its place in the one heap it is in; -1 while it is in none. Nobody else's to write. */
  at: number;
}

export class PlaceHeap<T extends Placed> {
  private readonly items: T[] = [];

  /** `isBefore` may change with an item's fields: then call `moved`. */
  constructor(private readonly isBefore: (a: T, b: T) => boolean) {}

  get first(): T | undefined {
    return this.items[0];
  }

  get size(): number {
    return this.items.length;
  }

  /** It is in no heap. */
  add(item: T): void {
    item.at = this.items.length;
    this.items.push(item);
    this.up(item);
  }

  /** It is in this heap. */
  remove(item: T): void {
    const last = this.items.pop() as T;
    if (last !== item) {
      last.at = item.at;
      this.items[last.at] = last;
      this.moved(last);
    }
    item.at = -1;
  }

  moved(item: T): void {
    this.up(item);
    this.down(item);
  }

  private up(item: T): void {
    while (item.at > 0) {
      const parent = this.items[(item.at - 1) >> 1] as T;
      if (!this.isBefore(item, parent)) return;
      this.swap(item, parent);
    }
  }

  private down(item: T): void {
    for (;;) {
      const left = this.items[2 * item.at + 1];
      if (left === undefined) return;
      const right = this.items[2 * item.at + 2];
      const child = right !== undefined && this.isBefore(right, left) ? right : left;
      if (!this.isBefore(child, item)) return;
      this.swap(item, child);
    }
  }

  private swap(a: T, b: T): void {
    const { at } = a;
    a.at = b.at;
    b.at = at;
    this.items[a.at] = a;
    this.items[b.at] = b;
  }
}
