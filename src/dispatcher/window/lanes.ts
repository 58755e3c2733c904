// One serial queue for each key and destination: order inside a lane, none between lanes.

/** What may wait in a lane; without a lane's name nothing waits for it and it waits for nothing. */
export interface InLane {
  readonly lane: string | null;
}

/** A lane exists only while something is in it. */
export class Lanes<T extends InLane> {
  /** The one under way, and behind it those that wait. */
  private readonly lanes = new Map<string, T[]>();
  private waitingCount = 0;

  get size(): number {
    return this.lanes.size;
  }

  /** How many wait behind another one. */
  get waiting(): number {
    return this.waitingCount;
  }

  /** True when it may go at once; otherwise a later leave hands it out. */
  enter(item: T): boolean {
    if (item.lane === null) return true;
    const lane = this.lanes.get(item.lane);
    if (lane === undefined) {
      this.lanes.set(item.lane, [item]);
      return true;
    }
    lane.push(item);
    this.waitingCount += 1;
    return false;
  }

  /** `item` is settled: the next one of its lane may go. */
  leave(item: T): T | null {
    if (item.lane === null) return null;
    const lane = this.lanes.get(item.lane);
    lane?.shift();
    const next = lane?.[0];
    if (next === undefined) {
      this.lanes.delete(item.lane);
      return null;
    }
    this.waitingCount -= 1;
    return next;
  }

  /** Takes these out of their lanes; returns those that may go now because all before them have been taken. */
  withdraw(items: ReadonlySet<T>): T[] {
    const freed: T[] = [];
    const names = new Set([...items].map(({ lane }) => lane));
    for (const name of names) {
      const lane = name === null ? undefined : this.lanes.get(name);
      if (name === null || lane === undefined) continue;
      const kept = lane.filter((item) => !items.has(item));
      if (kept[0] !== undefined && kept[0] !== lane[0]) freed.push(kept[0]);
      this.waitingCount -= Math.max(0, lane.length - 1) - Math.max(0, kept.length - 1);
      // A table that this one was in may stay for long (ReleasingMap): it is to keep nothing of what has left.
      lane.length = 0;
      if (kept.length === 0) this.lanes.delete(name);
      else this.lanes.set(name, kept);
    }
    return freed;
  }

  /** All that is in a lane, in order. */
  itemsOf(lane: string | null): readonly T[] {
    return lane === null ? [] : (this.lanes.get(lane) ?? []);
  }

  /** True for one without a lane, and for the last of its lane once `taken` have gone from the end. */
  isLast(item: T, taken: number): boolean {
    if (item.lane === null) return true;
    const lane = this.lanes.get(item.lane);
    return lane !== undefined && lane[lane.length - 1 - taken] === item;
  }

  /** How many are in the item's lane. */
  lengthOf({ lane }: T): number {
    return lane === null ? 0 : (this.lanes.get(lane)?.length ?? 0);
  }

  /** The one under way in the item's lane. */
  headOf(item: T): T | undefined {
    return item.lane === null ? undefined : this.lanes.get(item.lane)?.[0];
  }
}
