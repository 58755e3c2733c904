// Which transaction is due when, the next one first; pure.
import type { Transaction } from './transaction-table.js';

/** As many entries more than hold are left standing. */
const few = 1024;

/**
 * A binary heap, its columns side by side, since there may be as many entries as transactions. An entry holds as long as
 * nothing has happened to its transaction; those that do not are passed over, and thrown away before they are most.
 */
export class CheckPlan {
  private readonly dueMs: number[] = [];
  private readonly changedAt: number[] = [];
  private readonly transactions: Transaction[] = [];
  private most = few;

  get size(): number {
    return this.dueMs.length;
  }

  clear(): void {
    this.cut(0);
    this.most = few;
  }

  /** As it stands now. */
  add(dueMs: number, transaction: Transaction): void {
    if (this.size >= this.most) this.tidy();
    this.rise(this.size, dueMs, transaction.changedAt, transaction);
  }

  /** Undefined while none is due. */
  take(nowMs: number): Transaction | undefined {
    while (this.size > 0 && (this.dueMs[0] as number) <= nowMs) {
      const [transaction] = this.transactions as [Transaction];
      const holds = this.holds(0);
      this.removeFirst();
      if (holds) return transaction;
    }
    return undefined;
  }

  private holds(at: number): boolean {
    return this.transactions[at]?.changedAt === this.changedAt[at];
  }

  private tidy(): void {
    const { size } = this;
    let kept = 0;
    for (let at = 0; at < size; at += 1) {
      if (!this.holds(at)) continue;
      // Those before it are in order among themselves, and take no more room than they did.
      this.rise(kept, this.dueMs[at] as number, this.changedAt[at] as number, this.transactions[at] as Transaction);
      kept += 1;
    }
    this.cut(kept);
    this.most = 2 * kept + few;
  }

  private cut(size: number): void {
    this.dueMs.length = size;
    this.changedAt.length = size;
    this.transactions.length = size;
  }

  private rise(from: number, dueMs: number, changedAt: number, transaction: Transaction): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if ((this.dueMs[above] as number) <= dueMs) break;
      this.move(above, at);
      at = above;
    }
    this.put(at, dueMs, changedAt, transaction);
  }

  private removeFirst(): void {
    const last = this.size - 1;
    const [dueMs, changedAt, transaction] = [this.dueMs[last], this.changedAt[last], this.transactions[last]];
    this.cut(last);
    if (last === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= last) break;
      if (below + 1 < last && (this.dueMs[below + 1] as number) < (this.dueMs[below] as number)) below += 1;
      if ((this.dueMs[below] as number) >= (dueMs as number)) break;
      this.move(below, at);
      at = below;
    }
    this.put(at, dueMs as number, changedAt as number, transaction as Transaction);
  }

  private move(from: number, to: number): void {
    this.put(to, this.dueMs[from] as number, this.changedAt[from] as number, this.transactions[from] as Transaction);
  }

  private put(at: number, dueMs: number, changedAt: number, transaction: Transaction): void {
    this.dueMs[at] = dueMs;
    this.changedAt[at] = changedAt;
    this.transactions[at] = transaction;
  }
}
