// What becomes of messages that no attempt could deliver: dead letters, parked keys behind them, and the way back.
import type { Broker } from '../../broker/broker.js';
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import { textOf } from '../../message/errors.js';
import type { Message, Position, StoredMessage } from '../../message/message.js';
import { appendPersistently } from '../append-persistently.js';
import type { ClientCounters } from '../subscription-counters.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import { laneParts, type Work } from '../window/partition-window.js';
import { type DeadLetterNote, deadLetterOf } from './dead-letter.js';
import { DeadLetterBox } from './dead-letter-box.js';
import type { LetterSender } from './letter-sender.js';
import { ParkedLog } from './parked-log.js';
import { Redrive, type RedriveOrder } from './redrive.js';

export interface LettersParts {
  readonly subscription: SubscriptionSettings;
  readonly broker: Broker;
  readonly clock: Clock;
  /** Those that are ours, by number. */
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  readonly counters: ClientCounters;
  readonly report: (text: string, details: object) => void;
}

/**
 * How the giving up of a message ended. buried: it stands among the dead letters. stays: it is a letter already, and is
 * left where it is. blocks: its key cannot be parked now. lost: the partition is not ours any more.
 */
export type Burial = 'buried' | 'stays' | 'blocks' | 'lost';

export class Letters {
  /** Null when the subscription keeps none. */
  readonly box: DeadLetterBox | null;
  readonly parkedLog: ParkedLog;
  private lastRedrive: Redrive | null = null;

  constructor(private readonly parts: LettersParts) {
    const { broker, clock, subscription } = parts;
    const { topic, groupId, deadLetterTopic } = subscription;
    this.box = deadLetterTopic === null ? null : new DeadLetterBox(broker, deadLetterTopic, groupId);
    this.parkedLog = new ParkedLog({ broker, clock }, topic, groupId);
  }

  /** Creates the topics, with as many partitions as their origin has. */
  async open(partitions: number): Promise<void> {
    await this.parkedLog.prepare(partitions);
    await this.box?.open(partitions);
  }

  /** After what was sent again has ended. */
  async close(): Promise<void> {
    await this.box?.close();
  }

  /** The parked keys of the partitions that are ours, at most so many. `key` null: ordering is by partition. */
  parkedKeys(max: number): { partition: number; destination: string | null; key: string | null; sinceMs: number }[] {
    const rows = [...this.parts.partitions].flatMap(([partition, { parked }]) =>
      parked.rows().map(({ lane, sinceMs }) => ({ partition, ...laneParts(lane), sinceMs })),
    );
    return rows.slice(0, max);
  }

  /** Behind all letters of the partition. */
  endOf(partition: number): bigint {
    return this.box?.endOf(partition) ?? 0n;
  }

  /** For a message whose key is parked. */
  parkedLetterOf({ source, origin, attempt, firstAttemptMs }: Delivery): Message {
    const note: DeadLetterNote = {
      reason: 'parked',
      origin,
      detail: 'an earlier message of its key stands among the dead letters',
      status: 0,
      answer: '',
      attempts: attempt - 1,
      firstAttemptMs,
    };
    return this.letterOf(source, note);
  }

  /** Null when `signal` aborts before it is durable. Where dead letters are switched off it is counted and lost. */
  async keep(source: StoredMessage, note: DeadLetterNote, signal: AbortSignal): Promise<Position | null> {
    const { report, counters } = this.parts;
    const { topic, partition, offset } = note.origin;
    const place = { topic, partition, offset: `${offset}` };
    if (this.box === null) {
      counters.lost += 1;
      report('a message is lost: it could not be delivered, and dead letters are switched off', { ...place, ...note });
      return source;
    }
    const letter = await appendPersistently(this.parts, this.letterOf(source, note), signal, (error) =>
      report('dead letter not written, will try again', { ...place, error: textOf(error) }),
    );
    if (letter !== null) counters.deadLetters += 1;
    return letter;
  }

  /** Calls `done` in the same moment in which what it says holds. */
  async giveUp(work: Work, owned: OwnedPartition, note: DeadLetterNote, done: (burial: Burial) => void): Promise<void> {
    const { lane, resent, delivery, window } = work;
    const { signal } = window.abort;
    if (resent !== null && owned.parked.knows(lane)) {
      done('stays');
      return;
    }
    if (this.parts.subscription.poison !== 'park' || lane === null) {
      done((await this.keep(delivery.source, note, signal)) === null ? 'lost' : 'buried');
      return;
    }
    if (!owned.parked.beginParking(lane)) {
      done('blocks');
      return;
    }
    // The record first: without it those that follow would overtake the letter after a crash.
    const record = await this.writeRecord(work, owned);
    const letter = record === null ? null : await this.keep(delivery.source, note, signal);
    if (record === null || letter === null) {
      owned.parked.giveUpParking(lane);
      done('lost');
      return;
    }
    owned.parked.park(lane, record, letter.offset, this.parts.clock.now());
    this.parts.report('the key is parked', { lane, partition: delivery.source.partition });
    done('buried');
  }

  /** The redrive under way, or the last one of this process. */
  get redrive(): Redrive | null {
    return this.lastRedrive;
  }

  /** Null while another one is under way. */
  startRedrive(box: DeadLetterBox, sender: LetterSender, order: RedriveOrder): Redrive | null {
    if (this.lastRedrive?.isUnderWay === true) return null;
    const { clock } = this.parts;
    this.lastRedrive = new Redrive({ clock, box, sender, order });
    void this.lastRedrive.run();
    return this.lastRedrive;
  }

  private letterOf(source: StoredMessage, note: DeadLetterNote): Message {
    const { deadLetterTopic } = this.parts.subscription;
    return deadLetterOf(deadLetterTopic ?? '', source, note, this.parts.clock.now());
  }

  private writeRecord({ lane, window, delivery }: Work, { owner }: OwnedPartition): Promise<bigint | null> {
    const { clock, report } = this.parts;
    const { partition } = delivery.source;
    const record = { lane: lane as string, owner, sinceMs: clock.now() };
    return this.parkedLog.write(partition, record, window.abort.signal, (error) =>
      report('a key could not be parked, will try again', { partition, error: textOf(error) }),
    );
  }
}
