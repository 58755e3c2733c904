// Who waits until a partition has been read as far as an offset.

export class ReadWaiters {
  private waiting: { readonly offset: bigint; readonly resolve: () => void }[] = [];

  /** `isRead` is asked now, and again at each `check`. */
  constructor(private readonly isRead: (offset: bigint) => boolean) {}

  until(offset: bigint): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push({ offset, resolve });
      this.check();
    });
  }

  check(): void {
    if (this.waiting.length === 0) return;
    for (const { offset, resolve } of this.waiting) if (this.isRead(offset)) resolve();
    this.waiting = this.waiting.filter(({ offset }) => !this.isRead(offset));
  }
}
