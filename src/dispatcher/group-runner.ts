// Runs one subscription: reads with back-pressure, keeps each partition's windows, drains.
import { isDeepStrictEqual } from 'node:util';
import type {
  Assignment,
  Broker,
  CommittedOffset,
  Membership,
  MessageBatch,
  TopicPartition,
} from '../broker/broker.js';
import type { Interest } from '../broker/interest.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type Clock, within } from '../message/clock.js';
import type { Delivery } from '../message/delivery.js';
import type { MessageHeaders } from '../message/message.js';
import type { Outcome } from '../message/outcome.js';
import type { Tracing } from '../stats/tracing/tracing.js';
import { MessageFilter } from '../subscription/message-filter.js';
import type { Target } from '../target/target.js';
import type { LetterSenderParts } from './dead-letters/letter-sender.js';
import { Letters } from './dead-letters/letters.js';
import { Resending } from './dead-letters/resending.js';
import type { Gates } from './gates.js';
import { Adoption } from './overflow/adoption.js';
import { DelayedNotes } from './overflow/delayed-notes.js';
import { type Move, Mover } from './overflow/mover.js';
import { spillIdentityOf } from './overflow/spill-table.js';
import type { Ending } from './sending/callback.js';
import { Deliverer } from './sending/deliverer.js';
import { EndingsKept } from './sending/endings-kept.js';
import type { ClientCounters, ConsumerCounters } from './subscription-counters.js';
import { keepsIdentity } from './subscription-identity.js';
import type { SubscriptionMeter } from './subscription-meter.js';
import { type Explanation, explainLetter } from './view/explain.js';
import { SubscriptionView } from './view/subscription-view.js';
import { BatchReader } from './window/batch-reader.js';
import { ByPartition } from './window/by-partition.js';
import type { CommitMoments } from './window/commit-moments.js';
import { Committer, type OwnedWindow } from './window/committer.js';
import { Inlet, type InletKind } from './window/inlet.js';
import { Intake } from './window/intake.js';
import { NotYet } from './window/not-yet.js';
import { followFromOf, readMetadata } from './window/offset-tracker.js';
import { OwnedPartition } from './window/owned-partition.js';
import { PartitionWindow, type WindowSettings, type Work } from './window/partition-window.js';
import { Relief } from './window/relief.js';
import { windowSettingsOf } from './window/window-settings.js';

/** On top of the receivers' timeout: for the last commit and dead letters. */
const drainGraceMs = 2000;

export interface RunnerParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly moments: CommitMoments<PartitionWindow>;
  readonly gates: Gates;
  readonly target: Target;
  readonly client: ClientCounters;
  readonly consumer: ConsumerCounters;
  readonly meter: SubscriptionMeter;
  readonly tracing: Tracing;
  /** By message id. */
  readonly isCancelled: (id: string) => boolean;
  /** Told of each attempt as it ends. */
  readonly attempted: (delivery: Delivery, outcome: Outcome) => void;
  /** It is told of all that is passed over. */
  readonly seesAll: () => boolean;
  /** Read, and not wanted. */
  readonly passedOver: (headers: MessageHeaders, body: Buffer) => void;
  /** A caller waits for how this one ended. */
  readonly replied: (delivery: Delivery, ending: Ending) => void;
  readonly report: (text: string, details: object) => void;
}

export class GroupRunner {
  /**
   * The topics it reads, in the order in which they must be handed over: dead letters, which keys are parked, the
   * subscription's own, what was moved from it.
   */
  readonly topics: readonly string[];
  readonly view: SubscriptionView;
  readonly letters: Letters;
  readonly resending: Resending;
  private readonly windows = new ByPartition<OwnedWindow>();
  private readonly partitions = new Map<number, OwnedPartition>();
  /** Also of windows that have gone and whose last works still end. */
  private readonly inlets = new WeakMap<PartitionWindow, Inlet>();
  private readonly deliverer: Deliverer;
  private readonly mover: Mover;
  private readonly delayed = new DelayedNotes();
  private readonly notYet: NotYet;
  private readonly intake: Intake;
  private readonly committer: Committer;
  private readonly adoption: Adoption;
  private readonly windowSettings: WindowSettings;
  private readonly relief: Relief;
  private readonly reader: BatchReader;
  private partitionCount = 1;

  /** A copy of the settings: `adjust` writes the new ones into it, so that all parts go by them at once. */
  readonly subscription: SubscriptionSettings;

  constructor(
    settings: SubscriptionSettings,
    private readonly parts: RunnerParts,
  ) {
    const subscription = { ...settings };
    this.subscription = subscription;
    const { topic, groupId } = subscription;
    const { broker, clock, gates, target, client, consumer, meter, isCancelled, attempted, replied, report } = parts;
    const { windows, partitions } = this;
    this.windowSettings = windowSettingsOf(subscription, () => partitions.size);
    this.letters = new Letters({ subscription, broker, clock, partitions, counters: client, meter, report });
    const endings = new EndingsKept({ broker, clock, groupId, client, report });
    this.deliverer = new Deliverer({
      subscription,
      clock,
      gates,
      target,
      share: () => this.share,
      counters: client,
      meter,
      tracing: parts.tracing,
      settled: (work) => this.settled(work),
      delay: (work) => this.delay(work),
      giveUp: (work, note, done) => void this.letters.giveUp(work, this.inletOf(work).owned, note, done),
      keepEnd: (record, work) => endings.keep(record, work),
      stays: (work) => this.resending.stays(work),
      isCancelled,
      attempted,
      replied,
      callBack: (work, ending) => endings.callBack(work, ending),
      report,
    });
    this.mover = new Mover({
      broker,
      clock,
      topic,
      group: groupId,
      parkedLetterOf: (delivery) => this.letters.parkedLetterOf(delivery),
      moved: (move, offset) => this.moved(move, offset),
      refused: (moves) => this.intake.takeBack(moves, (window) => this.inlets.get(window) as Inlet),
      report,
    });
    this.notYet = new NotYet({
      clock,
      due: (work) => this.intake.place(this.inletOf(work), work),
      batchEnded: () => this.deliverer.pump(),
      delay: (work) => this.delay(work),
      isRefused: () => this.mover.isRefused,
    });
    const { deliverer, mover, letters, notYet } = this;
    this.intake = new Intake(
      {
        groupId,
        clock,
        deliverer,
        mover,
        notYet,
        letters,
        client,
        consumer,
        settled: (window) => this.afterSettling(window),
        report,
      },
      this.windowSettings,
    );
    const topics = [topic, mover.overflowTopic, ...mover.delayTopics];
    const ofLetters = letters.box === null ? [] : [letters.box.topic];
    const [shortest = '', ...longer] = mover.delayTopics;
    // Their places in a commit's note are for ever: the shortest tier came last.
    const copyTopics = [mover.overflowTopic, ...longer, letters.box?.topic ?? '', shortest];
    const { windowSettings } = this;
    const { moments } = parts;
    const failures = meter.commitFailures;
    this.committer = new Committer({ broker, clock, moments, windows, copyTopics, report, failures });
    this.adoption = new Adoption({ broker, clock, copyTopics, windowSettings, report });
    this.topics = [...ofLetters, letters.parkedLog.topic, ...topics];
    const { inlets, intake, committer, adoption, delayed } = this;
    const pump = () => deliverer.pump();
    const { overflowTopic, delayTopics } = mover;
    this.relief = new Relief({ clock, intake, windows, overflowTopic, endOf: (partition) => this.endOf(partition) });
    this.reader = new BatchReader(
      {
        subscription,
        clock,
        intake,
        relief: this.relief,
        committer,
        adoption,
        letters,
        delayed,
        delayTopics,
        windows,
        inlets,
        consumer,
        passedOver: parts.passedOver,
        parkedKnown: (partition) => void this.resending.freeEmptyLanes(partition),
        pump,
      },
      new MessageFilter(subscription),
    );
    this.resending = new Resending({ letters, sending: this.letterSending(), report });
    const letterWindows = () => this.resending.openWindows;
    this.view = new SubscriptionView({
      subscription,
      broker,
      clock,
      deliverer,
      topics,
      windows,
      letterWindows,
      partitions,
      delayed,
      notYet: () => notYet.size,
      passOver: () => this.reader.passOver(),
    });
  }

  /** How many partitions of the topic are ours now. */
  get ownedPartitions(): number {
    return this.partitions.size;
  }

  /** Of the topic's partitions, those that are ours, from 0 to 1. */
  private get share(): number {
    return this.partitions.size / this.partitionCount;
  }

  /** Creates the topics that the subscription keeps for itself. */
  async prepare(): Promise<void> {
    const { topic, groupId } = this.subscription;
    const partitions = this.parts.broker.lag(groupId, topic).length;
    this.partitionCount = Math.max(1, partitions);
    await Promise.all([this.letters.open(partitions), this.mover.prepare(partitions)]);
  }

  /**
   * New settings of the same subscription, without touching a window, a lane or a gate's memory; also for messages that
   * were read already. False when their order or their dead letters would not survive it: then a new runner is needed.
   */
  adjust(next: SubscriptionSettings): boolean {
    const { subscription, windowSettings } = this;
    if (!keepsIdentity(subscription, next)) return false;
    const { bindings, filters, methods } = subscription;
    Object.assign(subscription, next);
    if (!isDeepStrictEqual([bindings, filters, methods], [next.bindings, next.filters, next.methods]))
      this.setFilter(new MessageFilter(next));
    const { maxOpen, delivery } = windowSettingsOf(subscription, () => this.partitions.size);
    Object.assign(windowSettings.delivery, delivery);
    Object.assign(windowSettings, { maxOpen });
    this.deliverer.scheduler.adjust();
    for (const { window } of this.windows.values()) this.relief.resumeIfRoom(window);
    return true;
  }

  /** What the broker may leave out of a topic; null: nothing. */
  interestIn(topic: string): Interest | null {
    const { filter } = this.reader;
    return topic !== this.subscription.topic || filter.takesAll || this.parts.seesAll() ? null : filter;
  }

  /** `interestIn` says something else from now on. */
  interestChanged(): void {
    const { topic } = this.subscription;
    const owned = [...this.windows.values()].find(({ window }) => window.partition.topic === topic);
    owned?.membership.interestChanged(topic);
  }

  private setFilter(filter: MessageFilter): void {
    this.reader.filter = filter;
    this.interestChanged();
  }

  /** What was passed over meanwhile is committed. Returns how many commits there are of it. */
  commitPassedOver(): number {
    this.reader.passOver();
    const passed = this.reader.takePassed();
    for (const owned of passed) void this.committer.commit(owned);
    return passed.length;
  }

  /** Where the message of a place is now, as far as this node knows. Looks among its dead letters too. */
  async explain(partition: number, offset: bigint): Promise<Explanation | null> {
    const explanation = this.view.explain(partition, offset);
    if (explanation?.state !== 'settled' && explanation?.state !== 'settled or in the overflow') return explanation;
    const letter = await this.letters.find({ topic: this.subscription.topic, partition, offset });
    return letter === null ? explanation : explainLetter(explanation, letter);
  }

  /** The last commit of a partition of its topic, from here; null for none. */
  lastCommit(partition: number): CommittedOffset | null {
    return this.committer.lastOf({ topic: this.subscription.topic, partition });
  }

  assigned(membership: Membership, assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const { topic, partition, isOurs } = assignment;
      if (topic === this.topics[0])
        this.partitions.set(partition, new OwnedPartition(spillIdentityOf(this.subscription), isOurs));
      this.partitions.get(partition)?.copies.starts(topic, this.endOf(assignment));
      if (topic === this.letters.box?.topic) this.letters.box.assigned(membership, assignment);
      else this.openWindow(membership, assignment);
    }
    this.committer.allSoon();
  }

  /** The next batch of the partition comes when the promise has resolved; undefined: it may come at once. */
  messages(batch: MessageBatch): Promise<void> | undefined {
    return this.reader.take(batch);
  }

  private openWindow(membership: Membership, assignment: Assignment): void {
    const { topic, partition, start } = assignment;
    const owned = this.partitions.get(partition) as OwnedPartition;
    const note = readMetadata(start.offset, start.metadata);
    owned.spills.addLeft(note.spilled);
    const end = this.endOf(assignment);
    const window = new PartitionWindow(assignment, this.windowSettings, end);
    const copyNote = note.copies === '' ? null : note.copies;
    const followFrom = followFromOf(note, start.offset, end);
    const inlet = new Inlet(window, owned, this.kindOf(topic), end, followFrom, copyNote);
    owned.add(inlet);
    this.adoption.opened(inlet);
    this.inlets.set(window, inlet);
    this.windows.set(assignment, { inlet, window, membership, committing: null });
    this.intake.checkWhatWasLeft(inlet);
    // What may be handed out is told before the first message comes; where none may ever come, with that one.
    window.isDirty = inlet.kind === 'origin' || start.metadata !== '';
  }

  private kindOf(topic: string): InletKind {
    if (topic === this.subscription.topic) return 'origin';
    if (topic === this.letters.parkedLog.topic) return 'parked';
    return topic === this.mover.overflowTopic ? 'overflow' : 'delay';
  }

  /**
   * Lets what is in flight end, commits, and forgets the partitions. With the first topic of a partition's number all of
   * them come to rest, so that nothing is written to one that has been handed over.
   */
  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const numbers = new Set(partitions.map(({ partition }) => partition));
    const affected = [...this.windows.values()].filter(({ window }) => numbers.has(window.partition.partition));
    this.letters.redrive?.stop('partitions moved to another node: start it again there, or here once they are back');
    await this.release(affected);
    for (const { topic, partition } of partitions) {
      this.windows.delete({ topic, partition });
      if (topic === this.letters.box?.topic) this.letters.box.revoked(partition);
      this.partitions.delete(partition);
    }
  }

  /** No new attempt; those in flight end, at most for the receivers' timeout; then everything is committed. */
  async drain(): Promise<void> {
    this.letters.redrive?.stop('bigpipe is draining');
    this.deliverer.stop();
    this.notYet.stop();
    this.committer.stop();
    this.reader.stop();
    this.relief.stop();
    await this.release([...this.windows.values()]);
    this.windows.clear();
  }

  private async release(leaving: readonly OwnedWindow[]): Promise<void> {
    const { clock } = this.parts;
    this.reader.passOver();
    const windows = [...leaving.map(({ window }) => window), ...this.resending.openWindows];
    for (const window of windows) {
      window.close();
      // Lost, not given back: whoever has it now does the same.
      if (!window.isOurs) window.abort.abort();
    }
    for (const window of windows) this.deliverer.withdraw(window.waiting());
    this.notYet.withdraw(new Set(windows));
    const idle = Promise.all(windows.map((window) => window.whenQuiet()));
    await within(clock, this.subscription.timeoutMs + drainGraceMs, idle);
    for (const window of windows) window.abort.abort();
    const { redrive } = this.letters;
    if (redrive !== null && !(await within(clock, drainGraceMs, redrive.whenSettled()))) redrive.giveUpSettling();
    await Promise.all(leaving.map((owned) => this.committer.commit(owned)));
  }

  private delay(work: Work): void {
    this.delayed.add(work);
    this.mover.delay(work, this.inletOf(work).owned);
  }

  private settled(work: Work): void {
    const { window, resent } = work;
    const inlet = this.inletOf(work);
    window.settle(work);
    this.intake.handOn(inlet.owned.lanes.leave(work), inlet.owned);
    inlet.rotation?.delivered();
    this.leftOverflow(inlet, work);
    resent?.over(work, 'settled');
    this.afterSettling(window);
  }

  /** A copy elsewhere is durable: the message goes on from there. It left its lane before. */
  private moved({ work, owned, to, message }: Move, offset: bigint): void {
    const { window, lane, delivery } = work;
    window.settle(work);
    owned.copies.copied(message.topic, offset);
    if (to === 'dead letter') {
      owned.parked.moved(lane as string, delivery.side !== null, offset);
      this.parts.client.deadLetters += 1;
      this.parts.meter.deadLetter('parked');
    }
    this.leftOverflow(this.inletOf(work), work);
    this.afterSettling(window);
  }

  private leftOverflow({ owned, rotation }: Inlet, work: Work): void {
    if (rotation === null) return;
    const { side } = work.delivery;
    if (side?.owner === owned.owner) owned.spills.settled(work, side.hop);
    // The next commit says what is left.
    const main = owned.windowOf(this.subscription.topic);
    if (main === undefined) return;
    main.isDirty = true;
    this.committer.soon(main);
  }

  private afterSettling(window: PartitionWindow): void {
    this.relief.resumeIfRoom(window);
    this.intake.checkWhatWasLeft(this.inlets.get(window) as Inlet);
    this.committer.soon(window);
  }

  private letterSending(): Omit<LetterSenderParts, 'topic'> {
    const { partitions, windowSettings, deliverer, intake, mover, letters, windows, inlets, committer } = this;
    return {
      clock: this.parts.clock,
      windowSettings,
      ownedOf: (partition) => partitions.get(partition),
      hasAllOf: (partition) => partitions.get(partition)?.windowOf(this.subscription.topic) !== undefined,
      whenKnown: async (partition) => {
        const owned = partitions.get(partition);
        if (owned !== undefined) await this.reader.parkedAreKnown(owned);
      },
      opened: (window, owned) => inlets.set(window, new Inlet(window, owned, 'letter', 0n, 0n, null)),
      offer: (work) => deliverer.offer(work),
      pump: () => deliverer.pump(),
      withdraw: (works) => deliverer.withdraw(works),
      handOn: (work, owned) => intake.handOn(work, owned),
      park: (work, owned) => mover.park(work, owned),
      unparked: (records, partition) => {
        const window = windows.get({ topic: letters.parkedLog.topic, partition })?.window;
        if (window === undefined) return;
        for (const record of records) window.settleOffset(record);
        committer.soon(window);
      },
    };
  }

  /** Of the window that a work is, or was, in. */
  private inletOf({ window }: Work): Inlet {
    return this.inlets.get(window) as Inlet;
  }

  private endOf({ topic, partition }: TopicPartition): bigint {
    return this.parts.broker.lag(this.subscription.groupId, topic)[partition]?.highWatermark ?? 0n;
  }
}
