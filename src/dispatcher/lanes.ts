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

  /** The one under way in the item's lane. */
  headOf(item: T): T | undefined {
    return item.lane === null ? undefined : this.lanes.get(item.lane)?.[0];
  }
}
