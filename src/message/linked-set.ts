// A set that remembers the order of adding and gives its first member at the same cost however many came and went.

interface Link<T> {
  readonly item: T;
  before: Link<T> | null;
  after: Link<T> | null;
}

export class LinkedSet<T> {
  private readonly links = new Map<T, Link<T>>();
  private head: Link<T> | null = null;
  private tail: Link<T> | null = null;

  get size(): number {
    return this.links.size;
  }

  get first(): T | undefined {
    return this.head?.item;
  }

  /** At the end; one that is in already moves there. */
  add(item: T): void {
    this.delete(item);
    const link: Link<T> = { item, before: this.tail, after: null };
    if (this.tail === null) this.head = link;
    else this.tail.after = link;
    this.tail = link;
    this.links.set(item, link);
  }

  delete(item: T): void {
    const link = this.links.get(item);
    if (link === undefined) return;
    this.links.delete(item);
    if (link.before === null) this.head = link.after;
    else link.before.after = link.after;
    if (link.after === null) this.tail = link.before;
    else link.after.before = link.before;
    // One that has left would keep those behind it, once it counts as old.
    link.before = null;
    link.after = null;
  }

  has(item: T): boolean {
    return this.links.has(item);
  }

  clear(): void {
    this.links.clear();
    this.head = null;
    this.tail = null;
  }
}
