// What is known of all transactions: the log's records, folded. Bodies stay in the log.
import type { StoredMessage } from '../message/message.js';
import { RecentMap } from '../message/recent-map.js';
import { type Entry, entryOf, type Facts } from './transaction-record.js';
import { begun, type Happening, isOver, next, type State } from './transaction-state.js';

/** Callers are few, and commonly have few check addresses: equal ones are kept once. Twice as many at the most. */
const maxShared = 1024;

export interface Transaction extends Facts {
  readonly id: string;
  /** Where its messages lie in the log. */
  offset: number;
  state: State;
  /** Of the last record that changed its state. */
  changedAt: number;
}

/** What happened to one whose state is not known. */
interface Seen {
  readonly at: number;
  readonly what: Happening;
}

/** A transaction carried to `to` rests on all records from `from` on: no reader may begin in between. */
interface Span {
  readonly from: number;
  to: number;
}

export type Changed = (transaction: Transaction, before: State | null) => void;

/**
 * One for each process; every one of them comes to the same, whatever record it begins with, as long as that was once the
 * mark, or stands before it.
 */
export class TransactionTable {
  /** In the order in which their messages lie in the log. */
  private readonly known = new Map<string, Transaction>();
  /** Those that are over, the first to end first. */
  private readonly over = new Map<string, Transaction>();
  private readonly shared = new RecentMap<string, Pick<Facts, 'caller' | 'checkUrls'>>(maxShared);
  /** While the log is read up: what happened to transactions that began before the first record that was read. */
  private strangers: Map<string, Seen[]> | null = new Map();
  private spans: Span[] = [];
  /** Of the keeper, as far as the log has been read. */
  private epoch = '';
  private start: number | null = null;

  constructor(
    private readonly changed: Changed,
    private readonly unreadable: (offset: bigint) => void,
  ) {}

  find(id: string): Transaction | undefined {
    return this.known.get(id);
  }

  all(): IterableIterator<Transaction> {
    return this.known.values();
  }

  /** Undecided or not at its end. */
  get open(): number {
    return this.known.size - this.over.size;
  }

  get size(): number {
    return this.known.size;
  }

  /** All that was there has been read. */
  caughtUp(): void {
    this.strangers = null;
  }

  apply(stored: StoredMessage): void {
    const offset = Number(stored.offset);
    this.start ??= offset;
    const entry = entryOf(stored);
    if (entry === null) {
      this.unreadable(stored.offset);
      return;
    }
    switch (entry.kind) {
      case 'look':
        return;
      case 'owns':
        this.epoch = entry.epoch;
        return;
      case 'begin':
        this.begin(entry, offset);
        return;
      case 'carry':
        this.carry(entry, offset);
        return;
      default:
        this.happened(entry, offset, stored.timestampMs);
    }
  }

  private begin(
    { id, caller, checkUrls, firstCheckMs, createdMs }: Extract<Entry, { kind: 'begin' }>,
    at: number,
  ): void {
    // An id is begun once.
    if (this.known.has(id)) return;
    this.add({ id, caller, checkUrls, firstCheckMs, createdMs, offset: at, state: begun, changedAt: at });
  }

  /**
   * It holds if nothing has happened to the transaction since `asOf`, and who wrote it was the one to do so. Whoever began to
   * read behind `asOf` cannot tell, and need not: then something else holds the transaction, or nothing does.
   */
  private carry(entry: Extract<Entry, { kind: 'carry' }>, at: number): void {
    const { id, asOf, epoch, state } = entry;
    if (epoch !== this.epoch && this.epoch !== '') return;
    if (asOf + 1 < (this.start ?? 0)) return;
    const known = this.known.get(id);
    if (known === undefined) {
      if (this.strangers === null) return;
      const { caller, checkUrls, firstCheckMs, createdMs } = entry;
      // A record that changed nothing for those who know it, like an answer that came twice, changes nothing here.
      const changes = ({ at: seenAt, what }: Seen) => seenAt > asOf && next(state, what, 0, checkUrls.length) !== state;
      if (this.strangers.get(id)?.some(changes)) return;
      this.add({ id, caller, checkUrls, firstCheckMs, createdMs, offset: at, state, changedAt: asOf });
    } else {
      if (known.state.kind !== 'undecided' || known.changedAt > asOf) return;
      this.known.delete(id);
      known.offset = at;
      this.known.set(id, known);
    }
    const last = this.spans.at(-1);
    if (last?.from === asOf + 1) last.to = at;
    else this.spans.push({ from: asOf + 1, to: at });
  }

  private happened(
    entry: Extract<Entry, { kind: 'decide' | 'asked' | 'answer' | 'done' | 'again' }>,
    at: number,
    atMs: number,
  ): void {
    const known = this.known.get(entry.id);
    if (known === undefined) {
      this.stranger(entry.id, { at, what: entry });
      return;
    }
    const before = known.state;
    known.state = next(before, entry, atMs, known.checkUrls.length);
    if (known.state === before) return;
    known.changedAt = at;
    if (isOver(known.state)) this.over.set(known.id, known);
    this.changed(known, before);
  }

  private stranger(id: string, seen: Seen): void {
    const before = this.strangers?.get(id);
    if (before === undefined) this.strangers?.set(id, [seen]);
    else before.push(seen);
  }

  private add(transaction: Transaction): void {
    const { id, caller } = transaction;
    const text = `${caller} ${transaction.checkUrls.join(' ')}`;
    let shared = this.shared.get(text);
    if (shared === undefined) {
      shared = { caller, checkUrls: transaction.checkUrls };
      this.shared.set(text, shared);
    }
    const kept = { ...transaction, ...shared };
    this.known.set(id, kept);
    this.changed(kept, null);
  }

  /** Those that were over before `beforeMs`, and the first to end of more than `max`. */
  forget(beforeMs: number, max: number): void {
    for (const [id, { state }] of this.over) {
      if (state.kind === 'undecided') continue;
      if (this.over.size <= max && state.decidedMs > beforeMs) return;
      this.over.delete(id);
      this.known.delete(id);
    }
  }

  /** Nobody needs what stands before it; `end`: behind all that was read. */
  mark(end: number): number {
    const [first] = this.known.values();
    let mark = first?.offset ?? end;
    // The last one first: one may lead into another.
    for (const { from, to } of this.spans.toReversed()) if (from < mark && mark <= to) mark = from;
    this.spans = this.spans.filter(({ to }) => to >= mark);
    return mark;
  }
}
