// What one subscription knows of its messages, for whoever asks: where one waits and why, and how many wait for what.
import type { Broker, TopicPartition } from '../../broker/broker.js';
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock } from '../../message/clock.js';
import type { DelayedNotes } from '../overflow/delayed-notes.js';
import type { Deliverer } from '../sending/deliverer.js';
import type { PartitionValues } from '../window/by-partition.js';
import type { Inlet } from '../window/inlet.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import type { PartitionWindow, Work } from '../window/partition-window.js';
import {
  type BacklogCounts,
  countDestinations,
  type DestinationRow,
  emptyCounts,
  troubledDestinations,
} from './backlog.js';
import { type DestinationList, listDestinations } from './destination-list.js';
import { type Explanation, explainDelayed, explainWork, WallTime } from './explain.js';
import {
  backlogOf,
  drainSecondsOf,
  figuresByLabel,
  oldestReadyMs,
  type SubscriptionFigures,
  unreadReason,
} from './figures.js';

export interface ViewParts {
  readonly subscription: SubscriptionSettings;
  readonly broker: Broker;
  readonly clock: Clock;
  readonly deliverer: Deliverer;
  /** The subscription's own topic first. */
  readonly topics: readonly string[];
  readonly windows: PartitionValues<{ readonly inlet: Inlet; readonly window: PartitionWindow }>;
  /** Of dead letters that are sent again. */
  readonly letterWindows: () => readonly PartitionWindow[];
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  readonly delayed: DelayedNotes;
  /** How many that are read wait for the moment that their caller asked for. */
  readonly notYet: () => number;
  /** What was passed over meanwhile counts as read. */
  readonly passOver: () => void;
}

/** Under which word of the backlog the unread ones of a topic stand; null for records that are no messages. */
const countOf = { origin: 'unread', overflow: 'overflow', delay: 'delayed', parked: null, letter: null } as const;

export class SubscriptionView {
  constructor(private readonly parts: ViewParts) {}

  /** Of a partition that is not ours what the group's marks say; null when there is no such partition. */
  explain(partition: number, offset: bigint): Explanation | null {
    const { topic, groupId } = this.parts.subscription;
    const owned = this.parts.windows.get({ topic, partition });
    if (owned === undefined) return this.explainByMarks(partition, offset);
    this.parts.passOver();
    const { window, inlet } = owned;
    const work = window.workAt(offset) ?? this.movedFrom(partition, offset);
    const delayed = this.parts.delayed.at(partition, offset);
    if (delayed !== undefined) return explainDelayed(delayed, this.parts.subscription);
    if (work !== undefined) return this.explainWork(work);
    const place = { groupId, topic, partition, offset: `${offset}`, estimate: null };
    if (offset >= window.nextOffset) {
      const detail = `${offset - window.nextOffset} messages of the partition come before it`;
      const waitingFor = [{ reason: 'backlog', detail, until: null } as const, ...this.windowWait(window)];
      return { ...place, state: 'unread', waitingFor };
    }
    if (window.isOpen(offset)) return { ...place, state: 'to dead letter', waitingFor: [] };
    const elsewhere = this.unreadElsewhere(partition);
    if (inlet.owned.spills.size === 0 && elsewhere === 0n) return { ...place, state: 'settled', waitingFor: [] };
    const detail = `${elsewhere} messages of the partition stand in the overflow, or wait for their time, and are not read back yet`;
    return {
      ...place,
      state: 'settled or in the overflow',
      waitingFor: [{ reason: 'overflow', detail, until: null }],
    };
  }

  /** Below the mark it is delivered or a dead letter, unless something of the partition waits behind another mark. */
  private explainByMarks(partition: number, offset: bigint): Explanation | null {
    const { topic, groupId } = this.parts.subscription;
    const rows = this.parts.topics.flatMap((name) => this.parts.broker.lag(groupId, name));
    const [own, ...others] = rows.filter((row) => row.partition === partition);
    if (own === undefined) return null;
    const isBehind = offset < (own.committed ?? 0n);
    const hasEnded = isBehind && others.every(({ lag }) => lag === 0n);
    const state = hasEnded ? 'ended at another node' : isBehind ? 'settled or in the overflow' : 'with another node';
    return { groupId, topic, partition, offset: `${offset}`, state, waitingFor: [], estimate: null };
  }

  /** Where a message with this id waits, of those that are read and not settled. */
  explainId(id: string): Explanation[] {
    const found = this.parts.delayed.withId(id).map((note) => explainDelayed(note, this.parts.subscription));
    const windows = [...this.parts.windows.values()].map(({ window }) => window);
    for (const window of [...windows, ...this.parts.letterWindows()]) {
      for (const work of window.works()) {
        const { origin } = work.delivery;
        if (work.delivery.id !== id || this.parts.delayed.at(origin.partition, origin.offset) !== undefined) continue;
        found.push(this.explainWork(work));
      }
    }
    return found;
  }

  backlog(): BacklogCounts {
    const counts = emptyCounts();
    for (const { window, inlet, unread } of this.unread()) {
      const name = countOf[inlet.kind];
      if (name === null) continue;
      counts[name] += unread;
      counts.toDeadLetter += window.beingBuried;
    }
    for (const { lanes } of this.parts.partitions.values()) counts.order += lanes.waiting;
    counts.delayed += this.parts.notYet();
    counts.retry = this.parts.deliverer.waitingRetries;
    countDestinations(counts, this.parts.deliverer.scheduler);
    return counts;
  }

  figures(): SubscriptionFigures {
    const { deliverer, clock } = this.parts;
    const { scheduler } = deliverer;
    const counts = this.backlog();
    const backlog = backlogOf(counts, scheduler);
    for (const { window, inlet, unread } of this.unread()) {
      if (inlet.kind === 'origin' || inlet.kind === 'overflow')
        backlog[unreadReason(window.isPaused, window.works(), scheduler)] += unread;
    }
    const nowMs = clock.elapsedMs();
    let endedPerSecond = 0;
    for (const destination of scheduler.destinations) endedPerSecond += destination.endedPerSecond(nowMs);
    return {
      backlog,
      inFlight: counts.inFlight,
      oldestReadyMs: oldestReadyMs(scheduler),
      drainSeconds: drainSecondsOf(backlog, endedPerSecond),
      byLabel: figuresByLabel(scheduler.destinations),
    };
  }

  troubled(): DestinationRow[] {
    const time = new WallTime(this.parts.clock);
    return troubledDestinations(this.parts.deliverer.scheduler.destinations, (ms) => time.unixMs(ms));
  }

  /** The ones in trouble first, then the busiest; `match`: part of the name, in small letters. */
  destinations(match: string, limit: number): DestinationList {
    const { clock, deliverer } = this.parts;
    const time = new WallTime(clock);
    const order = { match, limit, nowMs: clock.elapsedMs(), toUnixMs: (ms: number) => time.unixMs(ms) };
    return listDestinations(deliverer.scheduler.destinations, order);
  }

  /** Of each partition of each topic what is not read yet. */
  private *unread(): Generator<{ window: PartitionWindow; inlet: Inlet; unread: number }> {
    const { groupId } = this.parts.subscription;
    this.parts.passOver();
    for (const topic of this.parts.topics) {
      for (const { partition, highWatermark } of this.parts.broker.lag(groupId, topic)) {
        const owned = this.parts.windows.get({ topic, partition });
        if (owned === undefined) continue;
        const { window, inlet } = owned;
        yield { window, inlet, unread: Number(highWatermark - window.nextOffset) };
      }
    }
  }

  private explainWork(work: Work): Explanation {
    const ahead = this.parts.partitions.get(work.window.partition.partition)?.lanes.headOf(work);
    return explainWork(work, ahead, this.parts.subscription, this.parts.deliverer.scheduler, this.parts.clock);
  }

  /** The message of that place, if it has been moved and read back. */
  private movedFrom(partition: number, offset: bigint): Work | undefined {
    for (const topic of this.parts.topics.slice(1)) {
      const { window } = this.parts.windows.get({ topic, partition }) ?? {};
      for (const work of window?.works() ?? []) if (work.delivery.origin.offset === offset) return work;
    }
    for (const window of this.parts.letterWindows()) {
      if (window.partition.partition !== partition) continue;
      for (const work of window.works()) if (work.delivery.origin.offset === offset) return work;
    }
    return undefined;
  }

  private unreadElsewhere(partition: number): bigint {
    let unread = 0n;
    for (const topic of this.parts.topics.slice(1)) {
      const { window } = this.parts.windows.get({ topic, partition }) ?? {};
      if (window !== undefined) unread += this.endOf(window.partition) - window.nextOffset;
    }
    return unread;
  }

  /** A window that is full is why nothing more is read. */
  private windowWait(window: PartitionWindow): Explanation['waitingFor'] {
    if (!window.isPaused) return [];
    const works = [...window.works()];
    const oldest = works[0]?.delivery;
    const behind = oldest === undefined ? '' : `, the oldest is ${oldest.id} for ${oldest.destination}`;
    return [{ reason: 'window', detail: `${works.length} that were read are not settled${behind}`, until: null }];
  }

  private endOf({ topic, partition }: TopicPartition): bigint {
    const { broker, subscription } = this.parts;
    return broker.lag(subscription.groupId, topic)[partition]?.highWatermark ?? 0n;
  }
}
