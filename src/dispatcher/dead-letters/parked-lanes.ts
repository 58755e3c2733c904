// The parked keys of a partition: what comes for them goes to the dead letters, until a redrive has brought all of it back.
import type { Work } from '../window/partition-window.js';

/** Each of them is a record that is read at every start. */
const maxLanes = 512;

interface ParkedLane {
  readonly sinceMs: number;
  /** Offsets of the records that say so. */
  readonly records: Set<bigint>;
  /** All of its letters are in its lane again; what comes goes behind them. */
  isReturning: boolean;
  /** Behind its last letter among the dead letters. */
  lettersEnd: bigint;
  /** Messages on their way to the dead letters. */
  moving: number;
  /** Those of them that come from the overflow. */
  movingCopies: number;
  /** Letters that are in its lane again. */
  readonly underWay: Set<Work>;
  /** Letters of it stand in a topic that is not the subscription's now: no redrive here brings them back. */
  isElsewhere: boolean;
}

/** `parked`: what comes follows. `returning`: what comes goes into the lane, behind the last letter. */
export class ParkedLanes {
  private readonly lanes = new Map<string, ParkedLane>();
  /** Keys that are being parked, with the records of them that have been read back meanwhile. */
  private readonly beingParked = new Map<string, Set<bigint>>();

  get size(): number {
    return this.lanes.size;
  }

  /** Begins to park a key, which ends with `park` or `giveUpParking`; false when there are too many. */
  beginParking(lane: string): boolean {
    if (!this.lanes.has(lane) && this.lanes.size + this.beingParked.size >= maxLanes) return false;
    this.beingParked.set(lane, new Set());
    return true;
  }

  giveUpParking(lane: string): void {
    this.beingParked.delete(lane);
  }

  /** Its record and its first letter are durable. */
  park(lane: string, record: bigint, letter: bigint, nowMs: number): void {
    const records = new Set(this.beingParked.get(lane)).add(record);
    this.beingParked.delete(lane);
    for (const one of records) this.restore(lane, one, letter + 1n, nowMs, false);
  }

  /** An earlier owner parked it; its letters stand below `lettersEnd`, or in another topic. */
  restore(lane: string, record: bigint, lettersEnd: bigint, sinceMs: number, isElsewhere: boolean): void {
    const known = this.lanes.get(lane);
    if (known !== undefined) {
      known.records.add(record);
      known.isReturning = false;
      known.isElsewhere ||= isElsewhere;
      if (lettersEnd > known.lettersEnd) known.lettersEnd = lettersEnd;
      return;
    }
    const none = { isReturning: false, moving: 0, movingCopies: 0, underWay: new Set<Work>() };
    this.lanes.set(lane, { sinceMs, records: new Set([record]), lettersEnd, isElsewhere, ...none });
  }

  /** What comes for it goes to the dead letters. */
  holds(lane: string | null): boolean {
    return this.at(lane)?.isReturning === false;
  }

  /** It is parked, or its letters are still on their way back. */
  knows(lane: string | null): boolean {
    return this.at(lane) !== undefined;
  }

  /** Mostly there is none: asked for every message. */
  private at(lane: string | null): ParkedLane | undefined {
    return this.lanes.size === 0 || lane === null ? undefined : this.lanes.get(lane);
  }

  get isEmpty(): boolean {
    return this.lanes.size === 0;
  }

  names(): string[] {
    return [...this.lanes.keys()];
  }

  rows(): { lane: string; sinceMs: number }[] {
    return [...this.lanes].map(([lane, { sinceMs }]) => ({ lane, sinceMs }));
  }

  /** A message of it is being moved to the dead letters; `isCopy`: from the overflow. */
  moving(lane: string, isCopy: boolean): void {
    const parked = this.lanes.get(lane);
    if (parked === undefined) return;
    parked.moving += 1;
    if (isCopy) parked.movingCopies += 1;
  }

  /** It stands there now. */
  moved(lane: string, isCopy: boolean, letter: bigint): void {
    const parked = this.lanes.get(lane);
    if (parked === undefined) return;
    parked.moving -= 1;
    if (isCopy) parked.movingCopies -= 1;
    if (letter >= parked.lettersEnd) parked.lettersEnd = letter + 1n;
  }

  /** Messages that came from the overflow are before those that come from the topic. */
  isMovingCopies(lane: string | null): boolean {
    return (this.at(lane)?.movingCopies ?? 0) > 0;
  }

  /** One of its letters is in its lane again. */
  letterSent(work: Work): void {
    this.at(work.lane)?.underWay.add(work);
  }

  /** It is done with, or stays where it stands. */
  letterOver(work: Work): void {
    this.at(work.lane)?.underWay.delete(work);
  }

  /** Some of its letters stay: what comes must follow them. */
  hold(lane: string): void {
    const parked = this.lanes.get(lane);
    if (parked !== undefined) parked.isReturning = false;
  }

  /** True when none of its letters stands at or behind `offset`, and none is on its way there. */
  hasNoneFrom(offset: bigint, lane: string): boolean {
    const parked = this.lanes.get(lane);
    return parked !== undefined && !parked.isElsewhere && parked.moving === 0 && parked.lettersEnd <= offset;
  }

  /** All its letters are in its lane, or settled. */
  returns(lane: string): void {
    const parked = this.lanes.get(lane);
    if (parked !== undefined) parked.isReturning = true;
  }

  /** Forgets those whose letters are all settled; returns the records that said they were parked. */
  takeReturned(): bigint[] {
    const records: bigint[] = [];
    for (const [lane, parked] of this.lanes) {
      if (!parked.isReturning || parked.underWay.size > 0) continue;
      records.push(...parked.records);
      this.lanes.delete(lane);
    }
    return records;
  }

  /** One of our records has been read back: false when it is no longer needed. */
  needs(lane: string, record: bigint): boolean {
    const pending = this.beingParked.get(lane);
    pending?.add(record);
    return pending !== undefined || this.lanes.get(lane)?.records.has(record) === true;
  }
}
