// Puts dead letters back into their lanes, to be sent from where they stand. One that fails where its key is parked stays there.
import type { Clock } from '../../message/clock.js';
import { originOfLetter, withoutHistory } from '../../message/dead-letter.js';
import type { StoredMessage } from '../../message/message.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import { PartitionWindow, type Resent, routingOf, type WindowSettings, type Work } from '../window/partition-window.js';

export interface LetterSenderParts {
  readonly clock: Clock;
  /** The dead letters' topic. */
  readonly topic: string;
  readonly windowSettings: WindowSettings;
  /** Undefined for a partition that is not ours. */
  readonly ownedOf: (partition: number) => OwnedPartition | undefined;
  /** All topics of the partition are ours, not only the first of them. */
  readonly hasAllOf: (partition: number) => boolean;
  /** Resolves once it is known which keys of the partition are parked. */
  readonly whenKnown: (partition: number) => Promise<void>;
  /** A window of letters is opened. */
  readonly opened: (window: PartitionWindow, owned: OwnedPartition) => void;
  /** The turn of this one has come, as far as its lane is concerned. */
  readonly offer: (work: Work) => void;
  /** Starts what may start. */
  readonly pump: () => void;
  /** Nothing is ready or waits any more of these. */
  readonly withdraw: (works: ReadonlySet<Work>) => void;
  /** The same as `offer`, for the next one of a lane that may be parked. */
  readonly handOn: (work: Work, owned: OwnedPartition) => void;
  /** It is in no lane, and follows its key to the dead letters. */
  readonly park: (work: Work, owned: OwnedPartition) => void;
  /** These keys are not parked any more. */
  readonly unparked: (records: readonly bigint[], partition: number) => void;
}

const isUnderWay = ({ stage }: Work) => stage === 'in flight' || stage === 'dead letter';

/** Of one redrive. */
export class LetterSender {
  private readonly windows = new Map<number, PartitionWindow>();

  constructor(private readonly parts: LetterSenderParts) {}

  owns(partition: number): boolean {
    return this.parts.hasAllOf(partition);
  }

  /** Resolves once it is known which keys of the partition are parked. */
  whenKnown(partition: number): Promise<void> {
    return this.parts.whenKnown(partition);
  }

  /** The parked keys of a partition. */
  parkedLanes(partition: number): string[] {
    return this.parts.ownedOf(partition)?.parked.names() ?? [];
  }

  /** The letter's key if that is parked. */
  parkedLaneOf(letter: StoredMessage): string | null {
    const parked = this.parts.ownedOf(letter.partition)?.parked;
    if (parked === undefined || parked.isEmpty) return null;
    const lane = routingOf(letter, this.parts.windowSettings)?.lane ?? null;
    return parked.knows(lane) ? lane : null;
  }

  /** Null for a letter that is no valid call, or not ours. Letters of a partition are taken in the order of their offsets. */
  take(letter: StoredMessage, resent: Resent): Work | null {
    const owned = this.parts.ownedOf(letter.partition);
    if (owned === undefined) return null;
    const window = this.windowOf(letter, owned);
    const message = { ...letter, headers: withoutHistory(letter.headers) };
    const reading = window.readLetter(message, originOfLetter(letter), resent, this.parts.clock.elapsedMs());
    if (reading.kind === 'work') return reading.work;
    window.settleOffset(letter.offset);
    return null;
  }

  /** Into its lane, to be sent when its turn comes. */
  send(work: Work): void {
    const owned = this.ownedOf(work);
    owned?.parked.letterSent(work);
    if (owned?.lanes.enter(work) === true) this.parts.offer(work);
    this.parts.pump();
  }

  /** All letters below `readUpTo` are sent or settled: those of these keys that have no other go on behind them. Returns them. */
  letReturn(partition: number, lanes: ReadonlySet<string>, readUpTo: bigint): string[] {
    const parked = this.parts.ownedOf(partition)?.parked;
    const returning = [...lanes].filter((lane) => parked?.hasNoneFrom(readUpTo, lane) === true);
    for (const lane of returning) parked?.returns(lane);
    if (returning.length > 0) this.forgetReturned(partition);
    return returning;
  }

  /** These letters are durably settled. */
  settled(works: readonly Work[]): void {
    for (const work of works) this.over(work);
    for (const partition of new Set(works.map(({ window }) => window.partition.partition)))
      this.forgetReturned(partition);
  }

  /** Their notes were refused for good: they count as open still. */
  leftOpen(works: readonly Work[]): void {
    for (const work of works) {
      if (work.lane !== null) this.ownedOf(work)?.parked.hold(work.lane);
      this.over(work);
    }
  }

  /** Those that are not being sent at this moment stay where they stand; what came behind them for a parked key joins them. */
  callBack(letters: readonly Work[]): void {
    for (const partition of new Set(letters.map(({ window }) => window.partition.partition))) {
      const ofPartition = letters.filter(({ window }) => window.partition.partition === partition);
      const owned = this.parts.ownedOf(partition);
      const back = ofPartition.filter((work) => !isUnderWay(work));
      const followers = owned === undefined ? [] : this.holdLanes(owned, ofPartition);
      const leaving = new Set([...back, ...followers]);
      this.parts.withdraw(leaving);
      for (const freed of owned?.lanes.withdraw(leaving) ?? []) this.parts.handOn(freed, owned as OwnedPartition);
      for (const work of back) {
        work.window.settle(work);
        this.over(work);
        work.resent?.over(work, 'stays');
      }
      for (const work of followers) this.parts.park(work, owned as OwnedPartition);
    }
    this.parts.pump();
  }

  /** Its last attempt failed, or no more are wanted: it stays, and the letters of its key behind it if that is parked. */
  stays(work: Work): void {
    work.stage = 'order';
    const owned = this.ownedOf(work);
    const ofLane = owned?.parked.knows(work.lane) === true ? owned.lanes.itemsOf(work.lane) : [work];
    this.callBack(ofLane.filter(({ resent }) => resent !== null));
  }

  /** They end with the redrive. */
  get openWindows(): readonly PartitionWindow[] {
    return [...this.windows.values()];
  }

  /** From here on what comes for these keys follows them to the dead letters; returns what came already, in order. */
  private holdLanes(owned: OwnedPartition, letters: readonly Work[]): Work[] {
    const followers: Work[] = [];
    for (const lane of new Set(letters.map((work) => work.lane))) {
      if (lane === null || !owned.parked.knows(lane)) continue;
      owned.parked.hold(lane);
      followers.push(...owned.lanes.itemsOf(lane).filter((work) => work.resent === null && !isUnderWay(work)));
    }
    return followers;
  }

  private over(work: Work): void {
    this.ownedOf(work)?.parked.letterOver(work);
  }

  private forgetReturned(partition: number): void {
    const records = this.parts.ownedOf(partition)?.parked.takeReturned() ?? [];
    if (records.length > 0) this.parts.unparked(records, partition);
  }

  private ownedOf({ window }: Work): OwnedPartition | undefined {
    return this.parts.ownedOf(window.partition.partition);
  }

  private windowOf({ partition, offset }: StoredMessage, owned: OwnedPartition): PartitionWindow {
    let window = this.windows.get(partition);
    if (window === undefined) {
      const { topic, windowSettings, opened } = this.parts;
      const start = { offset, metadata: '' };
      const { isOurs } = owned;
      window = new PartitionWindow({ topic, partition, start, isOurs }, windowSettings, offset);
      this.windows.set(partition, window);
      opened(window, owned);
    }
    return window;
  }
}
