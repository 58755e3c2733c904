// Half messages: begun, decided once, and brought to their end.
import { Injectable, Logger } from '@nestjs/common';
import type { Durability } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock, pause, within } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import { messageHeader } from '../message/message.js';
import { newTransactionId, timeOfTransactionId } from '../message/message-id.js';
import type { OnceKey } from '../producer/idempotency.js';
import { Producer } from '../producer/producer.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { Checker } from './checker.js';
import { Finisher } from './finisher.js';
import { type HalfMessage, packed } from './half-messages.js';
import { TransactionLog } from './transaction-log.js';
import { registerTransactions } from './transaction-metrics.js';
import { recordOf } from './transaction-record.js';
import { isInDoubt, isOver, isUnderWay, type State, type Verb } from './transaction-state.js';
import type { Transaction } from './transaction-table.js';

/** A caller is not kept longer while its messages cannot be appended; they will be. */
const finishBoundMs = 15_000;
/** Clocks of nodes may differ by as much. */
const clockSkewMs = 60_000;

export interface NewTransaction {
  readonly messages: readonly HalfMessage[];
  readonly caller: string;
  readonly checkUrls: readonly string[];
  /** null: as the operator set. */
  readonly firstCheckMs: number | null;
  readonly once: OnceKey | null;
}

export interface Begun {
  readonly id: string;
  readonly durability: Durability;
  readonly isReplay: boolean;
}

/** What one is told of a transaction. */
export interface TransactionView {
  readonly id: string;
  readonly caller: string;
  readonly state: 'undecided' | 'in-doubt' | 'committing' | 'committed' | 'rolling-back' | 'rolled-back';
  readonly createdMs: number;
  readonly checks: number;
  readonly checkUrls: readonly string[];
  /** null: it is under way, or not asked any more. */
  readonly nextCheckMs: number | null;
  readonly decidedBy: string | null;
  readonly decidedMs: number | null;
}

@Injectable()
export class Transactions {
  private readonly log = new Logger('Transactions');
  private readonly counters = { begun: 0, committed: 0, rolledBack: 0 };
  private isOpen = false;

  constructor(
    private readonly records: TransactionLog,
    private readonly finisher: Finisher,
    private readonly checker: Checker,
    private readonly producer: Producer,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    stats: Stats,
    metrics: Metrics,
  ) {
    records.listen((transaction, before) => this.count(transaction, before));
    stats.register('transactionStats', () => this.figures());
    registerTransactions(metrics, () => (this.isEnabled ? this.figures() : null));
  }

  /** False: the settings do not ask for them. */
  get isEnabled(): boolean {
    return this.configWatch.settings.transaction.enabled;
  }

  /** All that was begun and decided before is known once it resolves. */
  async start(): Promise<void> {
    if (!this.isEnabled) return;
    this.finisher.start();
    await this.records.open();
    this.isOpen = true;
    await this.checker.start();
  }

  /** What is decided is finished; nobody is asked any more. Before start and twice is fine. */
  async drain(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.checker.stop();
    await this.finisher.stop();
    await this.records.close();
  }

  /** Resolves once it is durable; nobody sees its messages. Rejects as Producer.accept does. */
  async begin({ messages, caller, checkUrls, firstCheckMs, once }: NewTransaction): Promise<Begun> {
    this.mustBeOpen();
    const { maxUndecided, firstCheckMs: usualMs } = this.configWatch.settings.transaction;
    if (this.records.table.open >= maxUndecided) {
      throw new BigpipeError('overloaded', `${maxUndecided} transactions are undecided`);
    }
    const createdMs = this.clock.now();
    const id = newTransactionId(createdMs);
    const entry = { kind: 'begin', id, caller, checkUrls, firstCheckMs: firstCheckMs ?? usualMs, createdMs } as const;
    const message = recordOf(entry, packed(messages), { [messageHeader.id]: id });
    const accepted = await this.producer.acceptOnce({ message, acks: -1, once });
    this.counters.begun += 1;
    return accepted;
  }

  /** Null for one that is not there, is too long ago, or is somebody else's (`caller` null: an operator, who may see all). */
  async find(id: string, caller: string | null): Promise<TransactionView | null> {
    const found = await this.known(id, caller);
    return found === null ? null : this.viewOf(found);
  }

  /** The ids of its messages. */
  async messagesOf(id: string): Promise<readonly HalfMessage[]> {
    const found = this.records.table.find(id);
    return found === undefined ? [] : this.records.messagesOf(found);
  }

  /**
   * Decides it unless it is decided; resolves to how it then stands, once all that follows is done. Null as with find. Rejects
   * as Producer.accept does; it may be decided all the same, and asking again says so.
   */
  async decide(id: string, verb: Verb, caller: string): Promise<TransactionView | null> {
    const found = await this.known(id, caller);
    return found === null ? null : this.settle(found, verb, 'producer');
  }

  /** The same by an operator, with a line in the log. */
  async decideAsOperator(id: string, verb: Verb, reason: string): Promise<TransactionView | null> {
    const found = await this.known(id, null);
    if (found === null) return null;
    const before = found.state.kind;
    const view = await this.settle(found, verb, 'operator');
    const { caller, state, decidedBy } = view;
    this.log.warn({ msg: `an operator says ${verb} to a transaction`, id, caller, before, state, decidedBy, reason });
    return view;
  }

  /** Has its producer asked again, as if it had just begun, unless it is decided. Null as with find. */
  async askAgain(id: string, reason: string): Promise<TransactionView | null> {
    const found = await this.known(id, null);
    if (found === null) return null;
    if (found.state.kind === 'undecided') await this.records.write({ kind: 'again', id });
    const view = this.viewOf(found);
    const { caller, state } = view;
    this.log.warn({ msg: 'an operator has a transaction asked about again', id, caller, state, reason });
    return view;
  }

  /** The oldest first, from behind the one named `after` on. */
  list(wanted: (view: TransactionView) => boolean, max: number, after: string | null): TransactionView[] {
    const found: TransactionView[] = [];
    let isBehind = after === null || this.records.table.find(after) === undefined;
    for (const one of this.records.table.all()) {
      if (isBehind) {
        const view = this.viewOf(one);
        if (wanted(view)) found.push(view);
        if (found.length >= max) break;
      }
      isBehind ||= one.id === after;
    }
    return found;
  }

  private async settle(found: Transaction, verb: Verb, by: 'producer' | 'operator'): Promise<TransactionView> {
    const { id } = found;
    if (found.state.kind === 'undecided')
      await this.records.write({ kind: 'decide', id, verb, by, node: this.records.node, keep: false });
    if (isUnderWay(found.state)) await this.whenFinished(found);
    return this.viewOf(found);
  }

  private async known(id: string, caller: string | null): Promise<Transaction | null> {
    this.mustBeOpen();
    let found = this.records.table.find(id);
    if (found === undefined && this.mayBeNew(id)) {
      // Another node may have begun it a moment ago.
      await this.records.write({ kind: 'look' });
      found = this.records.table.find(id);
    }
    return found === undefined || (caller !== null && found.caller !== caller) ? null : found;
  }

  private mayBeNew(id: string): boolean {
    const madeMs = timeOfTransactionId(id);
    return madeMs !== null && Math.abs(madeMs - this.clock.now()) < clockSkewMs;
  }

  private async whenFinished(transaction: Transaction): Promise<void> {
    const end = this.clock.elapsedMs() + finishBoundMs;
    const finishing = this.finisher.finishing(transaction.id);
    if (finishing !== undefined) {
      let failure: unknown = null;
      const noted = finishing.catch((error: unknown) => {
        failure = error;
      });
      await within(this.clock, finishBoundMs, noted);
      if (failure !== null) throw failure;
    }
    // Another node does it.
    while (!isOver(transaction.state) && this.clock.elapsedMs() < end) await pause(this.clock, pollMs);
    if (!isOver(transaction.state))
      throw new BigpipeError('unavailable', 'it is decided, and its messages are not stored yet: ask again');
  }

  private viewOf(one: Transaction): TransactionView {
    const { id, caller, createdMs, checkUrls, state } = one;
    const facts = { id, caller, createdMs, checkUrls };
    if (state.kind !== 'undecided') {
      const { by, decidedMs } = state;
      const kind = state.kind === 'burying' ? 'rolling-back' : state.kind;
      return { ...facts, state: kind, checks: 0, nextCheckMs: null, decidedBy: by, decidedMs };
    }
    const inDoubt = isInDoubt(state, this.configWatch.settings.transaction.maxChecks);
    const nextCheckMs = state.asked === null ? this.checker.nextCheckMs(one) : null;
    const kind = inDoubt ? 'in-doubt' : 'undecided';
    return { ...facts, state: kind, checks: state.checks, nextCheckMs, decidedBy: null, decidedMs: null };
  }

  private mustBeOpen(): void {
    if (!this.isOpen) throw new BigpipeError('closed', 'transactions are closed');
  }

  private count({ state }: Transaction, before: State | null): void {
    if (before === null || before.kind !== 'undecided' || state.kind === 'undecided') return;
    if (state.kind === 'committing') this.counters.committed += 1;
    else this.counters.rolledBack += 1;
  }

  /** `inDoubt` is what an alert hangs on. */
  private figures() {
    const { table } = this.records;
    const { maxChecks } = this.configWatch.settings.transaction;
    const nowMs = this.clock.now();
    const open = { undecided: 0, inDoubt: 0, finishing: 0, oldestMs: 0 };
    for (const { state, createdMs } of table.all()) {
      if (isUnderWay(state)) open.finishing += 1;
      if (state.kind !== 'undecided') continue;
      open.undecided += 1;
      if (isInDoubt(state, maxChecks)) open.inDoubt += 1;
      open.oldestMs = Math.max(open.oldestMs, nowMs - createdMs);
    }
    const { isKeeper } = this.records;
    return { ...this.counters, ...open, known: table.size, ...this.checker.counters, isKeeper: isKeeper ? 1 : 0 };
  }
}

/** While another node appends. */
const pollMs = 50;
