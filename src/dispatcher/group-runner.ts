// Runs one subscription: reads with back-pressure, keeps each partition's window, commits, drains.
import type { Assignment, Membership, MessageBatch, TopicPartition } from '../broker/broker.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type Clock, type Timer, within } from '../message/clock.js';
import type { DeliverySettings } from '../message/delivery.js';
import { textOf } from '../message/errors.js';
import type { StoredMessage } from '../message/message.js';
import type { Target } from '../target/target.js';
import {
  type BacklogCounts,
  countDestinations,
  type DestinationRow,
  emptyCounts,
  troubledDestinations,
} from './backlog.js';
import type { DeadLetter } from './dead-letter.js';
import { Deliverer } from './deliverer.js';
import { type Explanation, explainWork, WallTime } from './explain.js';
import type { Gates } from './gates.js';
import { PartitionWindow, type WindowSettings, type Work } from './partition-window.js';
import type { ClientCounters, ConsumerCounters } from './subscription-counters.js';

/** Unsettled messages a partition; twice the concurrency, so that one partition alone can use it all. */
const minWindow = 1024;
/** What settles within it is committed together. A crash repeats at most what settled since. */
const commitIntervalMs = 20;
/** After a commit that the broker refused. */
const commitRetryMs = 1000;
/** On top of the receivers' timeout: for the last commit and dead letters. */
const drainGraceMs = 2000;

export interface RunnerParts {
  readonly clock: Clock;
  readonly gates: Gates;
  readonly target: Target;
  readonly deadLetter: DeadLetter;
  readonly maxMetadataBytes: number;
  readonly client: ClientCounters;
  readonly consumer: ConsumerCounters;
  readonly report: (text: string, details: object) => void;
}

interface OwnedWindow {
  readonly window: PartitionWindow;
  readonly membership: Membership;
  /** The commit under way; one at a time, so that an older one never overtakes a newer one. */
  committing: Promise<void> | null;
}

export class GroupRunner {
  private readonly windows = new Map<string, OwnedWindow>();
  private readonly deliverer: Deliverer;
  private readonly windowSettings: WindowSettings;
  private commitTimer: Timer | null = null;
  private draining = false;

  constructor(
    readonly subscription: SubscriptionSettings,
    private readonly parts: RunnerParts,
  ) {
    const { concurrency, ordering } = subscription;
    const maxOpen = Math.max(minWindow, 2 * concurrency.max);
    this.windowSettings = { maxOpen, ordering, delivery: deliverySettingsOf(subscription) };
    const { clock, gates, target, deadLetter, client, report } = parts;
    const settled = (work: Work) => this.settled(work);
    this.deliverer = new Deliverer({
      subscription,
      clock,
      gates,
      target,
      deadLetter,
      counters: client,
      settled,
      report,
    });
  }

  assigned(membership: Membership, assignments: readonly Assignment[]): void {
    for (const assignment of assignments) {
      const window = new PartitionWindow(assignment, this.windowSettings, this.parts.clock.now());
      this.windows.set(nameOf(assignment), { window, membership, committing: null });
      // The mark of what may be handed out stands before the first message comes.
      window.isDirty = true;
    }
    this.commitSoon();
  }

  messages({ topic, partition, messages, nextOffset }: MessageBatch): void {
    const owned = this.windows.get(nameOf({ topic, partition }));
    if (owned === undefined || this.draining) return;
    const { window, membership } = owned;
    const nowMs = this.parts.clock.elapsedMs();
    for (const stored of messages) this.admit(window, stored, nowMs);
    window.readUpTo(nextOffset);
    if (window.isFull) {
      window.isPaused = true;
      membership.pause(window.partition);
    }
    this.commitSoon();
    this.deliverer.pump();
  }

  /** Lets what is in flight end, commits, and forgets the partitions. */
  async revoked(partitions: readonly TopicPartition[]): Promise<void> {
    const leaving = partitions.flatMap((partition) => this.windows.get(nameOf(partition)) ?? []);
    await this.release(leaving);
    for (const partition of partitions) this.windows.delete(nameOf(partition));
  }

  /** No new attempt; those in flight end, at most for the receivers' timeout; then everything is committed. */
  async drain(): Promise<void> {
    this.draining = true;
    this.deliverer.stop();
    this.commitTimer?.cancel();
    await this.release([...this.windows.values()]);
    this.windows.clear();
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

  /** Null when the partition is not ours now. */
  explain(partition: number, offset: bigint): Explanation | null {
    const { topic, groupId } = this.subscription;
    const owned = this.windows.get(nameOf({ topic, partition }));
    if (owned === undefined) return null;
    const { window } = owned;
    const work = window.workAt(offset);
    if (work !== undefined) return this.explainWork(work);
    const place = { groupId, topic, partition, offset: `${offset}`, estimate: null };
    if (offset >= window.nextOffset) {
      const detail = `${offset - window.nextOffset} messages of the partition come before it`;
      const waitingFor = [{ reason: 'backlog', detail, until: null } as const, ...this.windowWait(window)];
      return { ...place, state: 'unread', waitingFor };
    }
    return { ...place, state: window.isOpen(offset) ? 'to dead letter' : 'settled', waitingFor: [] };
  }

  /** Where a message with this id waits, of those that are read and not settled. */
  explainId(id: string): Explanation[] {
    const found: Explanation[] = [];
    for (const { window } of this.windows.values()) {
      for (const work of window.works()) if (work.delivery.id === id) found.push(this.explainWork(work));
    }
    return found;
  }

  /** `endOf` gives the high watermark of a partition. */
  backlog(endOf: (partition: TopicPartition) => bigint): BacklogCounts {
    const counts = emptyCounts();
    for (const { window } of this.windows.values()) {
      counts.unread += Number(endOf(window.partition) - window.nextOffset);
      counts.order += window.waitingInLanes;
      counts.toDeadLetter += window.beingBuried;
    }
    counts.retry = this.deliverer.waitingRetries;
    countDestinations(counts, this.deliverer.scheduler);
    return counts;
  }

  troubled(): DestinationRow[] {
    const time = new WallTime(this.parts.clock);
    return troubledDestinations(this.deliverer.scheduler.destinations, (ms) => time.unixMs(ms));
  }

  private explainWork(work: Work): Explanation {
    return explainWork(work, this.subscription, this.deliverer.scheduler, this.parts.clock);
  }

  /** A window that is full is why nothing more is read. */
  private windowWait(window: PartitionWindow): Explanation['waitingFor'] {
    if (!window.isPaused) return [];
    let count = 0;
    let oldest: Work | undefined;
    for (const work of window.works()) {
      oldest ??= work;
      count += 1;
    }
    const behind =
      oldest === undefined ? '' : `, the oldest is ${oldest.delivery.id} for ${oldest.delivery.destination}`;
    return [{ reason: 'window', detail: `${count} that were read are not settled${behind}`, until: null }];
  }

  private admit(window: PartitionWindow, stored: StoredMessage, nowMs: number): void {
    const { consumer, client } = this.parts;
    const admission = window.admit(stored, nowMs);
    if (admission.kind === 'settled') return;
    consumer.handleMessage += 1;
    if (admission.kind === 'invalid') {
      consumer.invalidMessage += 1;
      this.buryInvalid(window, stored, admission.detail);
      return;
    }
    client.rpcTotal += 1;
    if (admission.kind === 'ready') this.deliverer.offer(admission.work);
  }

  private buryInvalid(window: PartitionWindow, stored: StoredMessage, detail: string): void {
    const { deadLetter, client, report } = this.parts;
    const { topic, partition, offset } = stored;
    const place = { topic, partition, offset: `${offset}` };
    report('message is invalid', { ...place, detail });
    const note = { reason: 'invalid', detail, status: 0, answer: '', attempts: 0, firstAttemptMs: 0 } as const;
    const failed = (error: unknown) =>
      report('dead letter not written, will try again', { ...place, error: textOf(error) });
    window.begin();
    void deadLetter.keep(this.subscription.groupId, stored, note, window.abort.signal, failed).then((kept) => {
      if (kept) {
        client.deadLetters += 1;
        window.settleOffset(offset);
        this.afterSettling(window);
      }
      window.end();
    });
  }

  private settled(work: Work): void {
    const { window } = work;
    const next = window.settle(work);
    if (next !== null) this.deliverer.offer(next);
    this.afterSettling(window);
  }

  private afterSettling(window: PartitionWindow): void {
    if (window.isPaused && window.hasRoom && !window.closed) {
      window.isPaused = false;
      this.windows.get(nameOf(window.partition))?.membership.resume(window.partition);
    }
    this.commitSoon();
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
    const { window, membership } = owned;
    if (!window.isDirty) return;
    const { maxMetadataBytes, report } = this.parts;
    const offset = window.takeCommit(maxMetadataBytes);
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
}

function deliverySettingsOf(subscription: SubscriptionSettings): DeliverySettings {
  const { retries, timeoutMs, verdicts, maxAnswerBytes, destinations } = subscription;
  const names = new Map(destinations.flatMap(({ name, origins }) => origins.map((origin) => [origin, name])));
  const destinationOf = (origin: string) => names.get(origin) ?? origin;
  return { maxAttempts: retries + 1, timeoutMs, verdicts, maxAnswerBytes, destinationOf };
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;
