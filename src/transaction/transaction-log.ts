// The log of transactions: every node reads all of it, any node writes to it, one of them keeps it.
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { SharedLog } from '../broker/shared-log.js';
import type { Message, Position, StoredMessage } from '../message/message.js';
import { transactionTopic } from '../message/side-topic.js';
import { Producer } from '../producer/producer.js';
import { type HalfMessage, unpacked } from './half-messages.js';
import { RecentBodies } from './recent-bodies.js';
import { type Entry, recordOf } from './transaction-record.js';
import type { State } from './transaction-state.js';
import { type Transaction, TransactionTable } from './transaction-table.js';

type Listener = (transaction: Transaction, before: State | null) => void;

@Injectable()
export class TransactionLog {
  /** Of this process, in records. */
  readonly node = randomUUID();
  readonly table: TransactionTable;
  private readonly log = new Logger('Transactions');
  private readonly records: SharedLog;
  private readonly recent = new RecentBodies();
  private keptAs = '';
  private listeners: Listener[] = [];

  constructor(
    private readonly broker: Broker,
    private readonly producer: Producer,
  ) {
    this.table = new TransactionTable(
      (transaction, before) => {
        for (const listener of this.listeners) listener(transaction, before);
      },
      (offset) => this.log.error({ msg: 'a record of a transaction cannot be read', offset: `${offset}` }),
    );
    this.records = new SharedLog(broker, transactionTopic, (stored) => this.apply(stored));
  }

  /** Called for each change, in the order of the log; those before `open` has resolved are told too. */
  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  async open(): Promise<void> {
    await this.records.open();
    this.table.caughtUp();
  }

  close(): Promise<void> {
    this.listeners = [];
    return this.records.close();
  }

  /** Behind the last record that is applied here. */
  get readUpTo(): number {
    return Number(this.records.readTo);
  }

  /** Resolves once it is durable and applied here. Rejects as Producer.accept does. */
  async write(entry: Entry): Promise<void> {
    const position = await this.producer.accept(recordOf(entry), -1);
    if (position !== null) await this.records.untilRead(position.offset);
  }

  /** Resolves once what stands there is applied here. */
  whenRead({ offset }: Position): Promise<void> {
    return this.records.untilRead(offset);
  }

  /** As write, of several, while this process is the keeper; `others` go along in the same append. Rejects as Broker.append does. */
  async writeAsKeeper(records: readonly Message[], others: readonly Message[] = []): Promise<void> {
    const positions = await this.broker.append([...records, ...others], -1, () => this.isKeeper);
    const last = positions[records.length - 1];
    if (last) await this.records.untilRead(last.offset);
  }

  /** True while this process alone may ask and carry. */
  get isKeeper(): boolean {
    return this.records.isKeeper;
  }

  /** Of this process as the keeper; in what it carries. */
  get epoch(): string {
    return this.keptAs;
  }

  /** Resolves once nothing holds any more that an earlier keeper carries, and all that it wrote is applied here. */
  async takeOver(): Promise<void> {
    this.keptAs = randomUUID();
    await this.writeAsKeeper([recordOf({ kind: 'owns', epoch: this.keptAs })]);
  }

  /** Resolves when it has taken its place among those that may become the keeper. */
  keep(gained: () => void): Promise<void> {
    return this.records.keep(gained);
  }

  free(offset: number): Promise<void> {
    return this.records.free(BigInt(offset));
  }

  /** The record in which its messages lie, and they; rejects when it cannot be read. */
  async messagesOf({ id, offset }: Transaction): Promise<readonly HalfMessage[]> {
    const messages = unpacked(this.recent.get(offset) ?? (await this.storedAt(offset)).body);
    if (messages === null) throw new Error(`the messages of the transaction ${id} cannot be read`);
    return messages;
  }

  private apply(stored: StoredMessage): void {
    this.table.apply(stored);
    const id = stored.key?.toString();
    const offset = Number(stored.offset);
    // What begins here, or was carried here.
    if (id !== undefined && this.table.find(id)?.offset === offset) this.recent.add(offset, stored.body);
  }

  private async storedAt(offset: number): Promise<StoredMessage> {
    const { messages } = await this.broker.fetch({ topic: transactionTopic, partition: 0 }, BigInt(offset));
    const [first] = messages;
    if (first?.offset !== BigInt(offset)) throw new Error(`there is no record at ${offset} of ${transactionTopic}`);
    return first;
  }
}
