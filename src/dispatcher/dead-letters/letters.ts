// What becomes of messages that no attempt could deliver: dead letters, parked keys behind them, and the way back.
import type { Broker } from '../../broker/broker.js';
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock } from '../../message/clock.js';
import { type DeadLetterNote, deadLetterOf, originOfLetter } from '../../message/dead-letter.js';
import type { Delivery } from '../../message/delivery.js';
import { textOf } from '../../message/errors.js';
import type { Message, Position, StoredMessage } from '../../message/message.js';
import { appendPersistently, type Ownership } from '../append-persistently.js';
import type { CopyEnds } from '../overflow/copy-ends.js';
import { spillIdentityOf } from '../overflow/spill-table.js';
import type { ClientCounters } from '../subscription-counters.js';
import type { SubscriptionMeter } from '../subscription-meter.js';
import type { Inlet } from '../window/inlet.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import { laneParts, type Work } from '../window/partition-window.js';
import { DeadLetterBox } from './dead-letter-box.js';
import type { LetterSender } from './letter-sender.js';
import { ParkedLog, type ParkedRecord, parkedRecordOf } from './parked-log.js';
import { Redrive, type RedriveOrder } from './redrive.js';

/** Letters of a partition among which one is looked for. */
const maxLookedAt = 10_000;

export interface LettersParts {
  readonly subscription: SubscriptionSettings;
  readonly broker: Broker;
  readonly clock: Clock;
  /** Those that are ours, by number. */
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  readonly counters: ClientCounters;
  readonly meter: SubscriptionMeter;
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
  private readonly identity: string;
  private lastRedrive: Redrive | null = null;

  constructor(private readonly parts: LettersParts) {
    const { broker, clock, subscription } = parts;
    const { topic, groupId, deadLetterTopic } = subscription;
    this.box = deadLetterTopic === null ? null : new DeadLetterBox(broker, deadLetterTopic, groupId);
    this.identity = spillIdentityOf(subscription);
    this.parkedLog = new ParkedLog({ broker, clock }, topic, groupId);
  }

  /** Creates the topics, with as many partitions as their origin has. */
  async open(partitions: number): Promise<void> {
    await Promise.all([this.parkedLog.prepare(partitions), this.box?.prepare(partitions)]);
  }

  /** The parked keys of the partitions that are ours, at most so many. `key` null: ordering is by partition. */
  parkedKeys(max: number): { partition: number; destination: string | null; key: string | null; sinceMs: number }[] {
    const rows = [...this.parts.partitions].flatMap(([partition, { parked }]) =>
      parked.rows().map(({ lane, sinceMs }) => ({ partition, ...laneParts(lane), sinceMs })),
    );
    return rows.slice(0, max);
  }

  /** In the partitions that are ours. */
  get parkedCount(): number {
    return [...this.parts.partitions.values()].reduce((sum, { parked }) => sum + parked.size, 0);
  }

  /** The open letter of a message that was first stored there, among the oldest ones; null for none. */
  async find({ topic, partition, offset }: Position): Promise<StoredMessage | null> {
    if (this.box?.owns(partition) !== true) return null;
    const range = { partition, from: 0n, to: null };
    const letters = await this.box.read(range, maxLookedAt);
    const isIt = (origin: Position) => origin.topic === topic && origin.offset === offset;
    return letters.find((letter) => isIt(originOfLetter(letter))) ?? null;
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

  /**
   * Calls `done` in the moment in which the message can be settled, with its letter; with null when the window is given up
   * before that is durable. Where dead letters are switched off it is counted and lost.
   */
  async keep(
    source: StoredMessage,
    note: DeadLetterNote,
    window: Ownership,
    copies: CopyEnds,
    done: (letter: Position | null) => void,
  ): Promise<void> {
    const { report, counters, meter } = this.parts;
    const { topic, partition, offset } = note.origin;
    const place = { topic, partition, offset: `${offset}` };
    if (this.box === null) {
      counters.lost += 1;
      meter.lost.value += 1;
      report('a message is lost: it could not be delivered, and dead letters are switched off', { ...place, ...note });
      done(source);
      return;
    }
    const release = copies.begin(this.box.topic, this.endOf(source.partition));
    const letter = await appendPersistently(this.parts, this.letterOf(source, note), window, (error) =>
      report('dead letter not written, will try again', { ...place, error: textOf(error) }),
    );
    if (letter !== null) {
      counters.deadLetters += 1;
      meter.deadLetter(note.reason);
    }
    done(letter);
    if (letter !== null) copies.copied(this.box.topic, letter.offset);
    release();
  }

  /** Calls `done` in the same moment in which what it says holds. */
  async giveUp(work: Work, owned: OwnedPartition, note: DeadLetterNote, done: (burial: Burial) => void): Promise<void> {
    const { lane, resent, delivery, window } = work;
    if (resent !== null && owned.parked.knows(lane)) {
      done('stays');
      return;
    }
    const { copies } = owned;
    // One that came too late says nothing of those behind it.
    if (this.parts.subscription.poison !== 'park' || lane === null || note.reason === 'expired') {
      await this.keep(delivery.source, note, window, copies, (letter) => done(letter === null ? 'lost' : 'buried'));
      return;
    }
    if (!owned.parked.beginParking(lane)) {
      done(resent === null ? 'blocks' : 'stays');
      return;
    }
    // The record first: without it those that follow would overtake the letter after a crash.
    const record = await this.writeRecord(work, owned);
    if (record === null) {
      owned.parked.giveUpParking(lane);
      done('lost');
      return;
    }
    if (resent !== null) {
      // It stands before the other letters of its key, and stays there.
      owned.parked.park(lane, record, this.endOf(delivery.source.partition) - 1n, this.parts.clock.now());
      done('stays');
      return;
    }
    await this.keep(delivery.source, note, window, copies, (letter) => {
      if (letter === null) owned.parked.giveUpParking(lane);
      else {
        owned.parked.park(lane, record, letter.offset, this.parts.clock.now());
        this.parts.report('the key is parked', { lane, partition: delivery.source.partition });
      }
      done(letter === null ? 'lost' : 'buried');
    });
  }

  /** A record of a key that is parked, by an earlier owner or by us. All letters of the partition stand below `lettersEnd`. */
  takeParked(inlet: Inlet, stored: StoredMessage, lettersEnd: bigint): void {
    const { window, owned, leftEnd } = inlet;
    if (!window.readRecord(stored)) return;
    const record = parkedRecordOf(stored);
    const place = { partition: stored.partition, offset: `${stored.offset}` };
    if (record === null) this.parts.report('a record of a parked key cannot be read', place);
    else if (this.box === null) {
      this.parts.report('a key is no longer parked: dead letters are switched off', { ...place, lane: record.lane });
    } else if (stored.offset < leftEnd) this.restore(owned, record, stored, lettersEnd);
    const isNeeded = record !== null && this.box !== null && owned.parked.needs(record.lane, stored.offset);
    if (!isNeeded) window.settleOffset(stored.offset);
  }

  private restore(
    owned: OwnedPartition,
    { lane, sinceMs, letters, identity }: ParkedRecord,
    { partition, offset }: Position,
    lettersEnd: bigint,
  ): void {
    const isElsewhere = letters !== this.box?.topic;
    if (identity !== this.identity) {
      const text =
        'a key was parked under another ordering, or other destinations: what comes for it is not held back; redrive its dead letters';
      this.parts.report(text, { lane, partition });
    }
    owned.parked.restore(lane, offset, lettersEnd, sinceMs, isElsewhere);
    if (!isElsewhere) return;
    const text =
      'a key stays parked: its letters stand in another topic; name that one as deadLetterTopic to redrive them';
    this.parts.report(text, { lane, partition, letters });
  }

  /**
   * Parked keys without any letter go on: theirs were purged, or an earlier owner died between the last of them and its
   * note. Reads through the open letters of the partition if a key is parked there.
   */
  async freeEmptyLanes(partition: number, sender: LetterSender): Promise<void> {
    const { box } = this;
    const lanes = new Set(sender.parkedLanes(partition));
    if (box === null || lanes.size === 0) return;
    let at = 0n;
    for (;;) {
      const { letters, nextOffset } = await box.next(partition, at);
      for (const letter of letters) lanes.delete(sender.parkedLaneOf(letter) ?? '');
      if (nextOffset <= at || lanes.size === 0) break;
      at = nextOffset;
    }
    if (box.owns(partition) && this.lastRedrive?.isUnderWay !== true) sender.letReturn(partition, lanes, at);
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
    const letters = this.box?.topic ?? '';
    const record = { lane: lane as string, owner, identity: this.identity, letters, sinceMs: clock.now() };
    return this.parkedLog.write(partition, record, window, (error) =>
      report('a key could not be parked, will try again', { partition, error: textOf(error) }),
    );
  }
}
