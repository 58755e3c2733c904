// Asks producers what became of the transactions that they left undecided; on one node of all.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { parseCallUrl } from '../message/call-url.js';
import { Clock, type Timer } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { Message } from '../message/message.js';
import { checkMessageOf, lostMs } from './check-message.js';
import { CheckPlan } from './check-plan.js';
import { nextCheckMs } from './check-schedule.js';
import { CheckSlots } from './check-slots.js';
import { Finisher } from './finisher.js';
import { Keeping } from './keeping.js';
import { TransactionLog } from './transaction-log.js';
import { recordOf } from './transaction-record.js';
import { isInDoubt, type State } from './transaction-state.js';
import type { Transaction } from './transaction-table.js';

/** How often it is looked who is due. */
const tickMs = 100;
/** In one append: what falls due together is spread. */
const maxPerTick = 50;
/** After somebody could not be asked. */
const againMs = 5000;

@Injectable()
export class Checker {
  readonly counters = { checksAsked: 0, checksAnswered: 0 };
  private readonly log = new Logger('Transactions');
  private readonly due = new CheckPlan();
  private readonly slots = new CheckSlots();
  /** Those who waited for a slot and have one. */
  private ready: string[] = [];
  private timer: Timer | null = null;
  private ticking: Promise<void> = Promise.resolve();
  /** This node has said that it asks, and has read all that was before. */
  private isOwner = false;
  private stopped = true;

  constructor(
    private readonly records: TransactionLog,
    private readonly finisher: Finisher,
    private readonly keeping: Keeping,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  async start(): Promise<void> {
    this.stopped = false;
    this.records.listen((transaction, before) => this.changed(transaction, before));
    await this.records.keep(() => {
      this.isOwner = false;
    });
    this.later();
  }

  /** Before start and twice is fine. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.timer?.cancel();
    await this.ticking;
  }

  /** Of one that is undecided, unix; null: it is not asked about any more. */
  nextCheckMs(transaction: Transaction): number | null {
    const { state } = transaction;
    return state.kind === 'undecided' ? nextCheckMs({ ...transaction, state }, this.schedule) : null;
  }

  private get schedule() {
    return this.configWatch.settings.transaction;
  }

  private later(): void {
    if (this.stopped) return;
    this.timer = this.clock.setTimer(tickMs, () => {
      this.ticking = this.tick()
        .catch((error: unknown) => {
          // What was written may come yet: whatever it carries must not hold any more.
          this.isOwner = false;
          this.log.error({ msg: 'transactions could not be looked after, will try again', error: textOf(error) });
        })
        .finally(() => this.later());
    });
  }

  private async tick(): Promise<void> {
    if (!this.records.isKeeper) {
      this.isOwner = false;
      return;
    }
    if (!this.isOwner) await this.takeOver();
    this.finisher.finishLeft();
    await this.askDue();
    await this.keeping.look();
  }

  /** Whoever asked before no longer does, and all that it wrote has been read. */
  private async takeOver(): Promise<void> {
    await this.records.takeOver();
    this.due.clear();
    this.slots.clear();
    this.ready = [];
    this.isOwner = true;
    for (const transaction of this.records.table.all()) {
      const { state } = transaction;
      if (state.kind !== 'undecided') continue;
      if (state.asked !== null) this.slots.restore(transaction.id, originOf(transaction, state.asked.ask));
      this.plan(transaction);
    }
    this.log.log({ msg: 'this node asks about undecided transactions', open: this.records.table.open });
  }

  private changed(transaction: Transaction, before: State | null): void {
    const { id, state } = transaction;
    const wasAsked = before?.kind === 'undecided' && before.asked !== null;
    const isAsked = state.kind === 'undecided' && state.asked !== null;
    if (wasAsked && !isAsked) this.counters.checksAnswered += 1;
    if (!this.isOwner) return;
    if (!isAsked) this.letNext(this.slots.release(id));
    if (state.kind !== 'undecided') return;
    this.plan(transaction);
    const { maxChecks } = this.schedule;
    if (isInDoubt(state, maxChecks) && (before === null || !isInDoubt(before, maxChecks)))
      this.log.error({
        msg: 'a transaction is in doubt: its producer gives no answer that decides it',
        id,
        caller: transaction.caller,
        checks: state.checks,
      });
  }

  private letNext(id: string | null): void {
    if (id !== null) this.ready.push(id);
  }

  private plan(transaction: Transaction): void {
    this.due.add(this.dueMs(transaction), transaction);
  }

  private dueMs(transaction: Transaction): number {
    const { createdMs } = transaction;
    return Math.min(this.nextCheckMs(transaction) ?? Number.POSITIVE_INFINITY, createdMs + this.schedule.ttlMs);
  }

  private async askDue(): Promise<void> {
    const nowMs = this.clock.now();
    const asked: Transaction[] = [];
    for (let taken = 0; taken < maxPerTick; taken += 1) {
      const next = this.nextDue(nowMs);
      if (next === null) break;
      const { id, state } = next;
      if (state.kind !== 'undecided') continue;
      // The settings may have changed since it was planned.
      if (this.dueMs(next) > nowMs) this.plan(next);
      else if (next.createdMs + this.schedule.ttlMs <= nowMs) await this.expire(next);
      else if (this.slots.take(id, originOf(next, state.asks))) asked.push(next);
    }
    if (asked.length > 0) await this.ask(asked, nowMs);
  }

  private nextDue(nowMs: number): Transaction | null {
    const { table } = this.records;
    for (let id = this.ready.shift(); id !== undefined; id = this.ready.shift()) {
      const found = table.find(id);
      if (found !== undefined) return found;
    }
    return this.due.take(nowMs) ?? null;
  }

  /** One that cannot be asked about is no reason not to ask about the others. */
  private async ask(transactions: readonly Transaction[], nowMs: number): Promise<void> {
    const notes: Message[] = [];
    const checks: Message[] = [];
    const asked: Transaction[] = [];
    for (const transaction of transactions) {
      try {
        const check = checkMessageOf(transaction, await this.records.messagesOf(transaction), nowMs);
        const { id, state } = transaction;
        // Decided while it was read.
        if (state.kind !== 'undecided') continue;
        notes.push(recordOf({ kind: 'asked', id, ask: state.asks, untilMs: nowMs + lostMs }));
        checks.push(check);
        asked.push(transaction);
      } catch (error) {
        this.tryLater(transaction, error);
      }
    }
    if (notes.length === 0) return;
    try {
      await this.records.writeAsKeeper(notes, checks);
      this.counters.checksAsked += checks.length;
    } catch (error) {
      for (const transaction of asked) this.tryLater(transaction, error);
    }
  }

  private tryLater(transaction: Transaction, error: unknown): void {
    const { id } = transaction;
    this.log.error({ msg: 'a transaction could not be asked about, will try again', id, error: textOf(error) });
    this.letNext(this.slots.release(id));
    this.due.add(this.clock.now() + againMs, transaction);
  }

  private async expire(transaction: Transaction): Promise<void> {
    const { id, caller } = transaction;
    const { onTtl } = this.schedule;
    const verb = onTtl === 'commit' ? 'commit' : 'rollback';
    try {
      await this.records.write({ kind: 'decide', id, verb, by: 'ttl', node: '', keep: onTtl === 'dead-letter' });
      this.log.error({ msg: `a transaction was undecided until its time was over: ${onTtl}`, id, caller });
    } catch (error) {
      this.log.error({
        msg: 'a transaction whose time is over could not be decided, will try again',
        id,
        error: textOf(error),
      });
      this.due.add(this.clock.now() + againMs, transaction);
    }
  }
}

const originOf = (transaction: Transaction, ask: number): string => {
  const { checkUrls } = transaction;
  const url = checkUrls[ask % checkUrls.length] ?? '';
  return parseCallUrl(url)?.origin ?? url;
};
