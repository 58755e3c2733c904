// Something that is done for several at once, at the end of the event loop's turn in which the first of them asked.

export class AtTurnsEnd<T> {
  private items: T[] = [];

  constructor(private readonly act: (item: T) => void) {}

  add(item: T): void {
    if (this.items.push(item) === 1) setImmediate(() => this.actAll());
  }

  private actAll(): void {
    const { items } = this;
    this.items = [];
    for (const item of items) this.act(item);
  }
}
