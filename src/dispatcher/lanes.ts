// One serial queue for each key and destination: order inside a lane, none between lanes.

/** What may wait in a lane; without a lane's name nothing waits for it and it waits for nothing. */
export interface InLane {
  readonly lane: string | null;
}

/** A lane exists only while something is in it. */
export class Lanes<T extends InLane> {
  /** The waiting ones behind the one that is under way; null while nobody waits. */
  private readonly lanes = new Map<string, T[] | null>();

  get size(): number {
    return this.lanes.size;
  }

  /** True when it may go at once; otherwise a later leave hands it out. */
  enter(item: T): boolean {
    if (item.lane === null) return true;
    const waiting = this.lanes.get(item.lane);
    if (waiting === undefined) {
      this.lanes.set(item.lane, null);
      return true;
    }
    if (waiting === null) this.lanes.set(item.lane, [item]);
    else waiting.push(item);
    return false;
  }

  /** `item` is settled: the next one of its lane may go. */
  leave(item: T): T | null {
    if (item.lane === null) return null;
    const waiting = this.lanes.get(item.lane);
    const next = waiting?.shift();
    if (next === undefined) {
      this.lanes.delete(item.lane);
      return null;
    }
    return next;
  }
}
