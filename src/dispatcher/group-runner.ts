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
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { parseCallUrl } from '../message/call-url.js';
import { type Clock, pause, type Timer, within } from '../message/clock.js';
import type { Delivery, DeliverySettings } from '../message/delivery.js';
import { BigpipeError, textOf } from '../message/errors.js';
import { type Message, type MessageHeaders, messageHeader } from '../message/message.js';
import type { Outcome } from '../message/outcome.js';
import { type RequestShape, UriTemplate } from '../message/request-shape.js';
import { sideNoteOf } from '../message/side-message.js';
import { delayTiers } from '../message/side-topic.js';
import type { Tracing } from '../stats/tracing/tracing.js';
import { methodOf } from '../subscription/body-method.js';
import { MessageFilter } from '../subscription/message-filter.js';
import type { Target } from '../target/target.js';
import { appendPersistently } from './append-persistently.js';
import type { LetterRange } from './dead-letters/dead-letter-box.js';
import { LetterSender } from './dead-letters/letter-sender.js';
import { Letters } from './dead-letters/letters.js';
import type { Redrive, RedriveOrder } from './dead-letters/redrive.js';
import type { Gates } from './gates.js';
import { Adoption } from './overflow/adoption.js';
import { DelayedNotes } from './overflow/delayed-notes.js';
import { type Move, Mover } from './overflow/mover.js';
import { spillIdentityOf } from './overflow/spill-table.js';
import { callbackOf, type Ending } from './sending/callback.js';
import { Deliverer } from './sending/deliverer.js';
import type { ClientCounters, ConsumerCounters } from './subscription-counters.js';
import type { SubscriptionMeter } from './subscription-meter.js';
import { type Explanation, explainLetter } from './view/explain.js';
import { SubscriptionView } from './view/subscription-view.js';
import { Committer, type OwnedWindow, passedCommitMs, windowName } from './window/committer.js';
import { Inlet, type InletKind } from './window/inlet.js';
import { Intake } from './window/intake.js';
import { NotYet } from './window/not-yet.js';
import { followFromOf, readMetadata } from './window/offset-tracker.js';
import { OwnedPartition } from './window/owned-partition.js';
import { PartitionWindow, type WindowSettings, type Work } from './window/partition-window.js';

/** Unsettled messages a partition; twice the concurrency, so that one partition alone can use it all. */
const minWindow = 1024;
/** On top of the receivers' timeout: for the last commit and dead letters. */
const drainGraceMs = 2000;
/** While a window is full: how often it is looked for somebody who has come to stand still since. */
const relieveIntervalMs = 200;

export interface RunnerParts {
  readonly broker: Broker;
  readonly clock: Clock;
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
  private readonly windows = new Map<string, OwnedWindow>();
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
  private filter: MessageFilter;
  /** Of the last redrive. */
  private sender: LetterSender | null = null;
  private relieveTimer: Timer | null = null;
  private draining = false;
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
    this.windowSettings = windowSettingsOf(subscription);
    this.filter = new MessageFilter(subscription);
    this.letters = new Letters({ subscription, broker, clock, partitions, counters: client, meter, report });
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
      keepEnd: (record, work) => this.keepEnd(record, work),
      stays: (work) => this.sender?.stays(work),
      isCancelled,
      attempted,
      replied,
      callBack: (work, ending) => this.callBack(work, ending),
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
    this.committer = new Committer({ broker, clock, windows, copyTopics, report, failures: meter.commitFailures });
    this.adoption = new Adoption({ broker, clock, copyTopics, windowSettings, report });
    this.topics = [...ofLetters, letters.parkedLog.topic, ...topics];
    const letterWindows = () => this.sender?.openWindows ?? [];
    this.view = new SubscriptionView({
      subscription,
      broker,
      clock,
      deliverer,
      topics,
      windows,
      letterWindows,
      partitions,
      delayed: this.delayed,
      notYet: () => notYet.size,
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
    await this.letters.open(partitions);
    await this.mover.prepare(partitions);
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
      this.filter = new MessageFilter(next);
    const { maxOpen, delivery } = windowSettingsOf(subscription);
    Object.assign(windowSettings.delivery, delivery);
    Object.assign(windowSettings, { maxOpen });
    this.deliverer.scheduler.adjust();
    for (const { window } of this.windows.values()) this.resumeIfRoom(window);
    return true;
  }

  /** Where the message of a place is now; null when its partition is not ours. Looks among the dead letters too. */
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

  /** Null while another one is under way, or when the subscription keeps no dead letters. */
  startRedrive(order: RedriveOrder): Redrive | null {
    const { box, redrive } = this.letters;
    if (box === null || redrive?.isUnderWay === true) return null;
    this.sender = this.newSender(box.topic);
    return this.letters.startRedrive(box, this.sender, order);
  }

  /** Resolves to how many letters were purged; null while a redrive is under way, or when none are kept. */
  async purge(range: LetterRange): Promise<bigint | null> {
    const { box, redrive } = this.letters;
    if (box === null || redrive?.isUnderWay === true) return null;
    const purged = await box.purge(range);
    for (const { partition } of box.partsOf(range)) await this.freeEmptyLanes(partition);
    return purged;
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
    this.committer.soon();
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
    this.windows.set(windowName(assignment), { inlet, window, membership, committing: null });
    this.intake.checkWhatWasLeft(inlet);
    // What may be handed out is told before the first message comes.
    window.isDirty = true;
  }

  /** The next batch of the partition comes when the promise has resolved. */
  async messages(batch: MessageBatch): Promise<void> {
    const owned = this.windows.get(windowName(batch));
    if (owned === undefined) return;
    const { inlet } = owned;
    if (inlet.kind === 'parked') {
      this.takeParked(owned, batch);
      return;
    }
    await this.parkedAreKnown(inlet.owned);
    // A copy is judged by what was found of its original's topic.
    await this.adoption.complete(inlet.owned);
    const wanted = inlet.kind === 'origin' ? this.wantedOf(batch) : batch;
    const isPassedOver = wanted.messages.length === 0 && batch.messages.length > 0;
    // Of what nobody sends nothing has to be said.
    if (inlet.kind !== 'delay' && !isPassedOver) await this.committer.promise(owned, batch.nextOffset);
    const origin = this.intake.lastOriginLeft(inlet, batch.messages);
    // What an earlier owner had before them in their lanes is not settled and comes from there.
    if (origin !== null) await inlet.owned.windowOf(this.subscription.topic)?.whenRead(origin);
    if (inlet.kind === 'delay') await this.takeWhenDue(owned, batch);
    else if (!this.draining && !owned.window.closed) this.takeBatch(owned, wanted, isPassedOver);
  }

  /** Nothing is sent before it is known which keys an earlier owner has parked. */
  private async parkedAreKnown(owned: OwnedPartition): Promise<void> {
    const window = owned.windowOf(this.letters.parkedLog.topic);
    const leftEnd = window === undefined ? 0n : (this.inlets.get(window)?.leftEnd ?? 0n);
    if (window !== undefined && window.nextOffset < leftEnd) await window.whenRead(leftEnd - 1n);
  }

  private takeParked({ inlet, window }: OwnedWindow, { messages, nextOffset, partition }: MessageBatch): void {
    const wasLeft = window.nextOffset < inlet.leftEnd;
    const lettersEnd = this.letters.endOf(partition);
    for (const stored of messages) this.letters.takeParked(inlet, stored, lettersEnd);
    window.readUpTo(nextOffset);
    this.committer.soon();
    if (wasLeft && nextOffset >= inlet.leftEnd) void this.freeEmptyLanes(partition);
  }

  /** Never rejects: who stays parked goes on with the next redrive. */
  private async freeEmptyLanes(partition: number): Promise<void> {
    const { box } = this.letters;
    if (box === null) return;
    try {
      await this.letters.freeEmptyLanes(partition, this.newSender(box.topic));
    } catch (error) {
      this.parts.report('dead letters could not be looked through for parked keys', {
        partition,
        error: textOf(error),
      });
    }
  }

  /** In a delay topic the first one is always the first whose time comes. */
  private async takeWhenDue(
    owned: OwnedWindow,
    { topic, partition, messages, nextOffset }: MessageBatch,
  ): Promise<void> {
    const { clock } = this.parts;
    const { window, inlet } = owned;
    const tierMs = delayTiers[this.mover.delayTopics.indexOf(topic)]?.ms ?? 0;
    for (const stored of messages) {
      // Not longer than it was meant to, and not longer behind the one before, whatever was done to the machine's clock.
      const leftMs = Math.min(tierMs, stored.timestampMs + tierMs - clock.now());
      const waitMs = Math.min(leftMs, inlet.dueAfterLast(stored.timestampMs) - clock.elapsedMs());
      inlet.lastDue = { timestampMs: stored.timestampMs, dueMs: clock.elapsedMs() + Math.max(0, waitMs) };
      if (waitMs > 0) await pause(clock, waitMs, window.closing.signal);
      if (this.draining || window.closed) return;
      const origin = sideNoteOf(stored.headers)?.origin;
      if (origin !== undefined) this.delayed.delete(partition, origin.offset);
      await this.committer.promise(owned, stored.offset + 1n);
      if (!this.draining && !window.closed)
        this.takeBatch(owned, { topic, partition, messages: [stored], nextOffset: stored.offset + 1n });
    }
    if (!this.draining && !window.closed) this.takeBatch(owned, { topic, partition, messages: [], nextOffset });
  }

  private kindOf(topic: string): InletKind {
    if (topic === this.subscription.topic) return 'origin';
    if (topic === this.letters.parkedLog.topic) return 'parked';
    return topic === this.mover.overflowTopic ? 'overflow' : 'delay';
  }

  /** The batch without what its bindings and filters do not want, which counts as settled once it is read. */
  private wantedOf(batch: MessageBatch): MessageBatch {
    const { filter, parts } = this;
    if (filter.takesAll) return batch;
    const { groupId } = this.subscription;
    const messages = batch.messages.filter(({ headers, body }) => {
      const only = headers[messageHeader.onlyGroup];
      if (only === undefined ? filter.matches(headers, body) : only === groupId) return true;
      parts.passedOver(headers, body);
      return false;
    });
    parts.consumer.passedOver += batch.messages.length - messages.length;
    return { ...batch, messages };
  }

  private takeBatch(owned: OwnedWindow, { messages, nextOffset }: MessageBatch, isPassedOver = false): void {
    const nowMs = this.parts.clock.elapsedMs();
    const { inlet, window, membership } = owned;
    for (const stored of messages) this.intake.take(inlet, stored, nowMs);
    this.intake.readUpTo(inlet, nextOffset, nowMs);
    if (window.isFull) {
      window.isPaused = true;
      membership.pause(window.partition);
      this.relieve(inlet);
      this.relieveLater();
    }
    this.committer.soon(isPassedOver ? passedCommitMs : undefined);
    this.deliverer.pump();
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
      this.windows.delete(windowName({ topic, partition }));
      if (topic === this.letters.box?.topic) this.letters.box.revoked(partition);
      this.partitions.delete(partition);
    }
  }

  /** No new attempt; those in flight end, at most for the receivers' timeout; then everything is committed. */
  async drain(): Promise<void> {
    this.draining = true;
    this.letters.redrive?.stop('bigpipe is draining');
    this.deliverer.stop();
    this.notYet.stop();
    this.committer.stop();
    this.relieveTimer?.cancel();
    await this.release([...this.windows.values()]);
    this.windows.clear();
  }

  private async release(leaving: readonly OwnedWindow[]): Promise<void> {
    const { clock } = this.parts;
    const windows = [...leaving.map(({ window }) => window), ...(this.sender?.openWindows ?? [])];
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

  private async keepEnd(record: Message, { window, delivery }: Work): Promise<boolean> {
    const { partition, offset } = delivery.origin;
    const kept = await appendPersistently(this.parts, record, window, (error) =>
      this.parts.report('the end of a delivery could not be written down, will try again', {
        partition,
        offset: `${offset}`,
        error: textOf(error),
      }),
    );
    return kept !== null;
  }

  private delay(work: Work): void {
    this.delayed.add(work);
    this.mover.delay(work, this.inletOf(work).owned);
  }

  private async callBack(work: Work, ending: Ending): Promise<boolean> {
    const { delivery, window } = work;
    const { parts, subscription } = this;
    const url = delivery.callbackUrl as string;
    const append = (how: Ending) =>
      appendPersistently(parts, callbackOf(delivery, url, subscription.groupId, how), window, (error) => {
        parts.report('a callback could not be stored, will try again', { id: delivery.id, error: textOf(error) });
        if (error instanceof BigpipeError && error.code === 'message-too-large') throw error;
      });
    const tooLong = { status: ending.status, detail: 'the answer is longer than a message may be' };
    const place = await append(ending).catch(() => append(tooLong));
    if (place !== null) parts.client.callbacks += 1;
    return place !== null;
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
    if (main !== undefined) main.isDirty = true;
  }

  private afterSettling(window: PartitionWindow): void {
    this.resumeIfRoom(window);
    this.intake.checkWhatWasLeft(this.inlets.get(window) as Inlet);
    this.committer.soon();
  }

  private resumeIfRoom(window: PartitionWindow): void {
    if (!window.isPaused || !window.hasRoom || window.closed) return;
    window.isPaused = false;
    this.windows.get(windowName(window.partition))?.membership.resume(window.partition);
  }

  private relieve(inlet: Inlet): void {
    const { partition } = inlet.window.partition;
    const overflowEnd = this.endOf({ topic: this.mover.overflowTopic, partition });
    this.intake.relieve(inlet, this.endOf(inlet.window.partition), overflowEnd, this.parts.clock.elapsedMs());
  }

  private relieveLater(): void {
    if (this.relieveTimer !== null || this.draining) return;
    const { clock } = this.parts;
    this.relieveTimer = clock.setTimer(relieveIntervalMs, () => {
      this.relieveTimer = null;
      for (const { inlet, window } of this.windows.values()) {
        if (!window.isPaused) continue;
        this.relieve(inlet);
        this.relieveLater();
      }
    });
  }

  private newSender(topic: string): LetterSender {
    const { clock } = this.parts;
    return new LetterSender({
      clock,
      topic,
      windowSettings: this.windowSettings,
      ownedOf: (partition) => this.partitions.get(partition),
      hasAllOf: (partition) => this.partitions.get(partition)?.windowOf(this.subscription.topic) !== undefined,
      whenKnown: async (partition) => {
        const owned = this.partitions.get(partition);
        if (owned !== undefined) await this.parkedAreKnown(owned);
      },
      opened: (window, owned) => this.inlets.set(window, new Inlet(window, owned, 'letter', 0n, 0n, null)),
      offer: (work) => this.deliverer.offer(work),
      pump: () => this.deliverer.pump(),
      withdraw: (works) => this.deliverer.withdraw(works),
      handOn: (work, owned) => this.intake.handOn(work, owned),
      park: (work, owned) => this.mover.park(work, owned),
      unparked: (records, partition) => {
        const window = this.windows.get(windowName({ topic: this.letters.parkedLog.topic, partition }))?.window;
        for (const record of records) window?.settleOffset(record);
        this.committer.soon();
      },
    });
  }

  /** Of the window that a work is, or was, in. */
  private inletOf({ window }: Work): Inlet {
    return this.inlets.get(window) as Inlet;
  }

  private endOf({ topic, partition }: TopicPartition): bigint {
    return this.parts.broker.lag(this.subscription.groupId, topic)[partition]?.highWatermark ?? 0n;
  }
}

/** True when what lanes and dead letters hang on stays the same. */
export function keepsIdentity(before: SubscriptionSettings, after: SubscriptionSettings): boolean {
  return isDeepStrictEqual(identityOf(before), identityOf(after));
}

function identityOf(subscription: SubscriptionSettings): object {
  const { topic, groupId, url, endpoints, isPulled, ordering, destinations, deadLetterTopic } = subscription;
  const names = destinations.map(({ name, origins }) => ({ name, origins }));
  return { topic, groupId, url, isGroup: endpoints !== null, isPulled, ordering, names, deadLetterTopic };
}

function windowSettingsOf(subscription: SubscriptionSettings): WindowSettings {
  const { concurrency, ordering } = subscription;
  const maxOpen = Math.max(minWindow, 2 * concurrency.max);
  return { maxOpen, ordering, delivery: deliverySettingsOf(subscription) };
}

function deliverySettingsOf(subscription: SubscriptionSettings): DeliverySettings {
  const { retries, timeoutMs, verdicts, maxAnswerBytes, signing, destinations, url, endpoints, answerTopic } =
    subscription;
  const { needsConsent } = subscription;
  const names = new Map(destinations.flatMap(({ name, origins }) => origins.map((origin) => [origin, name])));
  const destinationOf = (origin: string) => names.get(origin) ?? origin;
  const defaultUrl = endpoints !== null ? 'group' : url === null ? null : parseCallUrl(url);
  const mailbox = subscription.isPulled ? subscription.groupId : null;
  const keepsAnswer = answerTopic !== null;
  const settings = {
    maxAttempts: retries + 1,
    timeoutMs,
    verdicts,
    maxAnswerBytes,
    keepsAnswer,
    signing,
    needsConsent,
  };
  const { uri, headers, methods } = subscription;
  const shape: RequestShape = {
    uri: uri === null ? null : new UriTemplate(uri),
    headers: headers.flat(),
    methodOf: methods === null ? null : methodOf,
  };
  return { ...settings, destinationOf, defaultUrl, mailbox, shape };
}
