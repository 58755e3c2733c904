// A set that remembers the order of adding and gives its first member at the same cost however many came and went.

/** An item's place in one of the sets that take it; who is in several at once has a link for each. */
export class Link<T> {
  /** The set that it is in. This and the two below are the set's to write. */
  set: LinkedSet<T> | null = null;
  before: Link<T> | null = null;
  after: Link<T> | null = null;

  constructor(readonly item: T) {}
}

/** Adding and deleting make nothing: the items bring their links, which live as long as they do. */
export class LinkedSet<T> {
  private head: Link<T> | null = null;
  private tail: Link<T> | null = null;
  private count = 0;

  constructor(private readonly linkOf: (item: T) => Link<T>) {}

  get size(): number {
    return this.count;
  }

  get first(): T | undefined {
    return this.head?.item;
  }

  /** In the order of adding; the one that is looked at may go meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let link = this.head; link !== null; ) {
      const { after } = link;
      yield link.item;
      link = after;
    }
  }

  has(item: T): boolean {
    return this.linkOf(item).set === this;
  }

  /** At the end; one that is in already, or in another set by the same link, moves there. */
  add(item: T): void {
    const link = this.linkOf(item);
    link.set?.unlink(link);
    link.set = this;
    link.before = this.tail;
    if (this.tail === null) this.head = link;
    else this.tail.after = link;
    this.tail = link;
    this.count += 1;
  }

  delete(item: T): void {
    const link = this.linkOf(item);
    if (link.set === this) this.unlink(link);
  }

  clear(): void {
    while (this.head !== null) this.unlink(this.head);
  }

  private unlink(link: Link<T>): void {
    const { before, after } = link;
    if (before === null) this.head = after;
    else before.after = after;
    if (after === null) this.tail = before;
    else after.before = before;
    link.set = null;
    link.before = null;
    link.after = null;
    this.count -= 1;
  }
}
