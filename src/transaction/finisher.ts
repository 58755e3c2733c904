// What follows from a decision: the messages are appended in the order of the decisions, or made dead letters, and that is noted.
import { Injectable, Logger } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { Clock, within } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { Position } from '../message/message.js';
import { Producer } from '../producer/producer.js';
import { committedMessages } from './half-messages.js';
import { TransactionLog } from './transaction-log.js';
import { recordOf } from './transaction-record.js';
import { type Decided, isUnderWay } from './transaction-state.js';
import type { Transaction } from './transaction-table.js';
import { UnsentLetters } from './unsent-letters.js';

/** A node that decided and is alive has long finished by then; where one process has the log alone nobody else could. */
const otherNodeMs = 10_000;
const drainBoundMs = 10_000;

@Injectable()
export class Finisher {
  private readonly log = new Logger('Transactions');
  private readonly running = new Map<string, Promise<void>>();
  /** Decided, and not at their end as far as the log has been read. */
  private readonly undone = new Map<string, Transaction>();
  /** Appends are begun in the order of the decisions. */
  private turn: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    private readonly records: TransactionLog,
    private readonly broker: Broker,
    private readonly producer: Producer,
    private readonly letters: UnsentLetters,
    private readonly clock: Clock,
  ) {}

  /** What this node decides it finishes from here on; what a check decides, the keeper. */
  start(): void {
    const { records } = this;
    records.listen((transaction) => {
      const { id, state } = transaction;
      if (state.kind === 'undecided' || !isUnderWay(state)) {
        this.undone.delete(id);
        return;
      }
      this.undone.set(id, transaction);
      if (state.node === records.node || (state.node === '' && records.isKeeper)) this.finish(transaction);
    });
  }

  /** How it goes; undefined when nobody here is at it. */
  finishing(id: string): Promise<void> | undefined {
    return this.running.get(id);
  }

  /** Whatever nobody is at: what a node that died has decided, and what could not be appended. */
  finishLeft(): void {
    const othersBefore = this.clock.now() - (this.broker.appendsTogether ? 0 : otherNodeMs);
    for (const transaction of this.undone.values()) {
      const state = transaction.state as Decided;
      const isOurs = state.node === this.records.node || state.node === '';
      if (isOurs || state.decidedMs <= othersBefore) this.finish(transaction);
    }
  }

  /** Before start and twice is fine. */
  async stop(): Promise<void> {
    this.stopped = true;
    await within(this.clock, drainBoundMs, Promise.allSettled(this.running.values()));
  }

  private finish(transaction: Transaction): void {
    const { id } = transaction;
    if (this.stopped || this.running.has(id)) return;
    const done = this.end(transaction).finally(() => this.running.delete(id));
    this.running.set(id, done);
    done.catch((error: unknown) => {
      this.log.error({ msg: 'a decided transaction is not at its end, will try again', id, error: textOf(error) });
    });
  }

  private async end(transaction: Transaction): Promise<void> {
    const { id } = transaction;
    const reading = this.records.messagesOf(transaction);
    // Handled below, when its turn has come.
    reading.catch(() => undefined);
    const before = this.turn;
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    this.turn = begun;
    let appending: Promise<Position | null>;
    try {
      await before;
      const halves = await reading;
      const state = transaction.state as Decided;
      const messages =
        state.kind === 'committing' ? committedMessages(halves, state.decidedMs) : this.letters.of(transaction, halves);
      appending = this.producer.acceptTogether(messages, recordOf({ kind: 'done', id }));
    } finally {
      begin();
    }
    const noted = await appending;
    if (noted !== null) await this.records.whenRead(noted);
  }
}
