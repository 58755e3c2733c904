// First in, first out; taking from the front costs the same however long the queue is.

export class WorkQueue<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  peek(): T | undefined {
    return this.items[this.head];
  }

  /** The one with `before` others before it. */
  at(before: number): T | undefined {
    return this.items[this.head + before];
  }

  /** Takes it out; costs as much as the queue is long, unless it is the first. */
  remove(item: T): void {
    if (this.peek() === item) this.shift();
    else this.withdraw(new Set([item]));
  }

  shift(): T | undefined {
    const item = this.items[this.head];
    if (item === undefined) return undefined;
    this.items[this.head] = undefined;
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** How many are before it; costs as much as the queue is long. */
  indexOf(item: T): number {
    return Math.max(0, this.items.indexOf(item, this.head) - this.head);
  }

  /** Takes out some; costs as much as the queue is long. */
  withdraw(items: ReadonlySet<T>): void {
    this.items = this.items.slice(this.head).filter((item) => item !== undefined && !items.has(item));
    this.head = 0;
  }

  clear(): void {
    this.items = [];
    this.head = 0;
  }
}
