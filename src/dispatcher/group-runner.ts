// Runs one subscription: reads with back-pressure, keeps each partition's windows, commits, drains.
import type { Assignment, Broker, Membership, MessageBatch, TopicPartition } from '../broker/broker.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type Clock, pause, type Timer, within } from '../message/clock.js';
import type { DeliverySettings } from '../message/delivery.js';
import { textOf } from '../message/errors.js';
import { sideNoteOf } from '../message/side-message.js';
import { delayTiers } from '../message/side-topic.js';
import type { Target } from '../target/target.js';
import type { DeadLetter } from './dead-letters/dead-letter.js';
import { DeadLetterBox } from './dead-letters/dead-letter-box.js';
import { Redrive, type RedriveOrder } from './dead-letters/redrive.js';
import type { Gates } from './gates.js';
import { DelayedNotes } from './overflow/delayed-notes.js';
import { DoubtfulCopies } from './overflow/doubtful-copies.js';
import { Overflow } from './overflow/overflow.js';
import { Deliverer } from './sending/deliverer.js';
import type { ClientCounters, ConsumerCounters } from './subscription-counters.js';
import { SubscriptionView } from './view/subscription-view.js';
import { Inlet, type InletKind, Intake } from './window/intake.js';
import { readMetadata } from './window/offset-tracker.js';
import { OwnedPartition } from './window/owned-partition.js';
import { PartitionWindow, type WindowSettings, type Work } from './window/partition-window.js';

/** Unsettled messages a partition; twice the concurrency, so that one partition alone can use it all. */
const minWindow = 1024;
/** What settles within it is committed together. A crash repeats at most what settled since. */
const commitIntervalMs = 20;
/** After a commit that the broker refused. */
const commitRetryMs = 1000;
/** On top of the receivers' timeout: for the last commit and dead letters. */
const drainGraceMs = 2000;
/** While a window is full: how often it is looked for somebody who has come to stand still since. */
const relieveIntervalMs = 200;

export interface RunnerParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly gates: Gates;
  readonly target: Target;
  readonly deadLetter: DeadLetter;
  readonly client: ClientCounters;
  readonly consumer: ConsumerCounters;
  readonly report: (text: string, details: object) => void;
}

interface OwnedWindow {
  readonly inlet: Inlet;
  readonly window: PartitionWindow;
  readonly membership: Membership;
  /** The commit under way; one at a time, so that an older one never overtakes a newer one. */
  committing: Promise<void> | null;
}

export class GroupRunner {
  /** The topics it reads: the subscription's own first, so that it is handed over before what was moved from it. */
  readonly topics: readonly string[];
  readonly view: SubscriptionView;
  private readonly windows = new Map<string, OwnedWindow>();
  private readonly partitions = new Map<number, OwnedPartition>();
  /** Also of windows that have gone and whose last works still end. */
  private readonly inlets = new WeakMap<PartitionWindow, Inlet>();
  private readonly deliverer: Deliverer;
  private readonly overflow: Overflow;
  private readonly delayed = new DelayedNotes();
  readonly deadLetters: DeadLetterBox;
  private lastRedrive: Redrive | null = null;
  private readonly intake: Intake;
  private readonly windowSettings: WindowSettings;
  private commitTimer: Timer | null = null;
  private relieveTimer: Timer | null = null;
  private draining = false;

  constructor(
    readonly subscription: SubscriptionSettings,
    private readonly parts: RunnerParts,
  ) {
    const { topic, groupId, concurrency, ordering } = subscription;
    const maxOpen = Math.max(minWindow, 2 * concurrency.max);
    this.windowSettings = { maxOpen, ordering, delivery: deliverySettingsOf(subscription) };
    const { broker, clock, gates, target, deadLetter, client, consumer, report } = parts;
    const settled = (work: Work) => this.settled(work);
    const delay = (work: Work) => {
      this.delayed.add(work);
      this.overflow.delay(work, (this.inlets.get(work.window) as Inlet).owned);
    };
    const redriven = (id: string, went: 'well' | 'wrong') => this.lastRedrive?.attempted(id, went);
    const deliveries = {
      subscription,
      clock,
      gates,
      target,
      deadLetter,
      counters: client,
      settled,
      delay,
      redriven,
      report,
    };
    this.deliverer = new Deliverer(deliveries);
    this.overflow = new Overflow({
      broker,
      clock,
      topic,
      group: groupId,
      moved: (work) => this.moved(work),
      refused: (moves) => this.intake.takeBack(moves, (window) => this.inlets.get(window) as Inlet),
      report,
    });
    this.intake = new Intake(
      {
        subscription,
        clock,
        deliverer: this.deliverer,
        overflow: this.overflow,
        deadLetter,
        client,
        consumer,
        settled: (window) => this.afterSettling(window),
        report,
      },
      maxOpen,
    );
    this.topics = [topic, this.overflow.topic, ...this.overflow.delayTopics];
    this.deadLetters = new DeadLetterBox(broker, topic, groupId);
    const { topics, windows, partitions, delayed, deliverer } = this;
    this.view = new SubscriptionView({
      subscription,
      broker,
      clock,
      deliverer,
      topics,
      windows,
      partitions,
      delayed,
    });
  }

  /** Creates the topics that the subscription keeps for itself. */
  async prepare(): Promise<void> {
    const { topic, groupId } = this.subscription;
    const partitions = this.parts.broker.lag(groupId, topic).length;
    await this.parts.deadLetter.prepare(topic, groupId, partitions);
    await this.overflow.prepare(partitions);
    await this.deadLetters.open();
  }

  /** The redrive under way, or the last one of this process. */
  get redrive(): Redrive | null {
    return this.lastRedrive;
  }

  /** Null while another one is under way. */
  startRedrive(order: RedriveOrder): Redrive | null {
    if (this.lastRedrive?.report.state === 'running') return null;
    const { broker, clock } = this.parts;
    const redrive = new Redrive({ broker, clock, box: this.deadLetters, overflowTopic: this.overflow.topic, order });
    this.lastRedrive = redrive;
    void redrive.run();
    return redrive;
  }

  assigned(membership: Membership, assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const { topic, partition, start } = assignment;
      const kind = this.kindOf(topic);
      if (kind === 'origin') this.partitions.set(partition, new OwnedPartition());
      const owned = this.partitions.get(partition) ?? new OwnedPartition();
      const { spilled, followFrom, handOut, doubtful } = readMetadata(start.offset, start.metadata);
      owned.spills.addLeft(spilled);
      const copies = new DoubtfulCopies(doubtful);
      const leftEnd = this.endOf({ topic: this.overflow.topic, partition });
      // After a clean end nothing was being moved.
      if (handOut?.cause === 'crash') copies.add({ leftEnd, first: start.offset, end: handOut.end });
      const window = new PartitionWindow(assignment, this.windowSettings, this.parts.clock.now());
      owned.add(window, copies);
      const inlet = new Inlet(window, owned, kind, this.endOf(assignment), followFrom);
      this.inlets.set(window, inlet);
      this.windows.set(nameOf(assignment), { inlet, window, membership, committing: null });
      this.intake.checkWhatWasLeft(inlet);
      // The mark of what may be handed out stands before the first message comes.
      window.isDirty = true;
    }
    this.commitSoon();
  }

  /** The next batch of the partition comes when the promise has resolved. */
  async messages(batch: MessageBatch): Promise<void> {
    const owned = this.windows.get(nameOf(batch));
    if (owned === undefined) return;
    const origin = this.intake.lastOriginLeft(owned.inlet, batch.messages);
    // What an earlier owner had before them in their lanes is not settled and comes from there.
    if (origin !== null) await owned.inlet.owned.windowOf(this.subscription.topic)?.whenRead(origin);
    if (owned.inlet.kind === 'delay') await this.takeWhenDue(owned, batch);
    else if (!this.draining && !owned.window.closed) this.takeBatch(owned, batch);
  }

  /** In a delay topic the first one is always the first whose time comes. */
  private async takeWhenDue(
    owned: OwnedWindow,
    { topic, partition, messages, nextOffset }: MessageBatch,
  ): Promise<void> {
    const { clock } = this.parts;
    const { window } = owned;
    const tierMs = delayTiers[this.overflow.delayTopics.indexOf(topic)]?.ms ?? 0;
    for (const stored of messages) {
      const waitMs = stored.timestampMs + tierMs - clock.now();
      if (waitMs > 0) await pause(clock, waitMs, window.closing.signal);
      if (this.draining || window.closed) return;
      const origin = sideNoteOf(stored.headers)?.origin;
      if (origin !== undefined) this.delayed.delete(partition, origin.offset);
      this.takeBatch(owned, { topic, partition, messages: [stored], nextOffset: stored.offset + 1n });
    }
    if (!this.draining && !window.closed) this.takeBatch(owned, { topic, partition, messages: [], nextOffset });
  }

  private kindOf(topic: string): InletKind {
    if (topic === this.subscription.topic) return 'origin';
    return topic === this.overflow.topic ? 'overflow' : 'delay';
  }

  private takeBatch(owned: OwnedWindow, { messages, nextOffset }: MessageBatch): void {
    const nowMs = this.parts.clock.elapsedMs();
    const { inlet, window, membership } = owned;
    for (const stored of messages) this.intake.take(inlet, stored, nowMs);
    this.intake.readUpTo(inlet, nextOffset, nowMs);
    if (window.isFull) {
      window.isPaused = true;
      membership.pause(window.partition);
      this.intake.relieve(inlet, this.endOf(window.partition), nowMs);
      this.relieveLater();
    }
    this.commitSoon();
    this.deliverer.pump();
  }

  /** Lets what is in flight end, commits, and forgets the partitions. */
  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const leaving = partitions.flatMap((partition) => this.windows.get(nameOf(partition)) ?? []);
    // What was moved from it goes with it, and nothing waits for its time any more.
    for (const partition of partitions.filter(({ topic }) => topic === this.subscription.topic)) {
      for (const topic of this.topics) this.windows.get(nameOf({ ...partition, topic }))?.window.close();
    }
    await this.release(leaving);
    for (const partition of partitions) {
      this.windows.delete(nameOf(partition));
      if (partition.topic === this.subscription.topic) this.partitions.delete(partition.partition);
    }
  }

  /** No new attempt; those in flight end, at most for the receivers' timeout; then everything is committed. */
  async drain(): Promise<void> {
    this.draining = true;
    this.lastRedrive?.stop();
    this.deliverer.stop();
    this.commitTimer?.cancel();
    this.relieveTimer?.cancel();
    await this.release([...this.windows.values()]);
    this.windows.clear();
    await this.deadLetters.close();
  }

  private async release(leaving: readonly OwnedWindow[]): Promise<void> {
    const { clock } = this.parts;
    for (const { window } of leaving) window.close();
    for (const { window } of leaving) this.deliverer.withdraw(window.waiting());
    const idle = Promise.all(leaving.map(({ window }) => window.whenQuiet()));
    await within(clock, this.subscription.timeoutMs + drainGraceMs, idle);
    for (const { window } of leaving) window.abort.abort();
    await Promise.all(leaving.map((owned) => this.commit(owned)));
  }

  private settled(work: Work): void {
    const { window } = work;
    const inlet = this.inlets.get(window) as Inlet;
    window.settle(work);
    const next = inlet.owned.lanes.leave(work);
    if (next !== null) this.deliverer.offer(next);
    inlet.rotation?.delivered();
    this.leftOverflow(inlet, work);
    this.afterSettling(window);
  }

  /** A copy in the overflow is durable: the message goes on from there. It left its lane before. */
  private moved(work: Work): void {
    const { window } = work;
    window.settle(work);
    this.leftOverflow(this.inlets.get(window) as Inlet, work);
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
    if (window.isPaused && window.hasRoom && !window.closed) {
      window.isPaused = false;
      this.windows.get(nameOf(window.partition))?.membership.resume(window.partition);
    }
    this.intake.checkWhatWasLeft(this.inlets.get(window) as Inlet);
    this.commitSoon();
  }

  private relieveLater(): void {
    if (this.relieveTimer !== null || this.draining) return;
    const { clock } = this.parts;
    this.relieveTimer = clock.setTimer(relieveIntervalMs, () => {
      this.relieveTimer = null;
      for (const { inlet, window } of this.windows.values()) {
        if (!window.isPaused) continue;
        this.intake.relieve(inlet, this.endOf(window.partition), clock.elapsedMs());
        this.relieveLater();
      }
    });
  }

  private commitSoon(delayMs = commitIntervalMs): void {
    if (this.commitTimer !== null || this.draining) return;
    this.commitTimer = this.parts.clock.setTimer(delayMs, () => {
      this.commitTimer = null;
      for (const owned of this.windows.values()) void this.commit(owned);
    });
  }

  /** What settles while a commit is under way goes with the next one. */
  private async commit(owned: OwnedWindow): Promise<void> {
    while (owned.committing !== null) await owned.committing;
    const { window, membership, inlet } = owned;
    if (!window.isDirty) return;
    const { broker, report } = this.parts;
    const { maxMetadataBytes } = broker;
    const { spills } = inlet.owned;
    const doubtful = inlet.owned.doubtfulNote(window.partition.topic);
    const offset = window.takeCommit(maxMetadataBytes, spills.note(maxMetadataBytes / 2), doubtful);
    owned.committing = membership
      .commit(window.partition, offset)
      .catch((error: unknown) => {
        // Nothing is lost: what is not committed is delivered again after a restart.
        window.isDirty = true;
        report('commit failed, will be tried again', { ...window.partition, error: textOf(error) });
        if (!window.closed) this.commitSoon(commitRetryMs);
      })
      .finally(() => {
        owned.committing = null;
      });
    await owned.committing;
  }

  private endOf({ topic, partition }: TopicPartition): bigint {
    return this.parts.broker.lag(this.subscription.groupId, topic)[partition]?.highWatermark ?? 0n;
  }
}

function deliverySettingsOf(subscription: SubscriptionSettings): DeliverySettings {
  const { retries, timeoutMs, verdicts, maxAnswerBytes, destinations } = subscription;
  const names = new Map(destinations.flatMap(({ name, origins }) => origins.map((origin) => [origin, name])));
  const destinationOf = (origin: string) => names.get(origin) ?? origin;
  return { maxAttempts: retries + 1, timeoutMs, verdicts, maxAnswerBytes, destinationOf };
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;
