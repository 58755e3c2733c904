// One partition number that this process owns for a subscription: what its topic's window and those of its side topics share.
import { randomUUID } from 'node:crypto';
import { ParkedLanes } from '../dead-letters/parked-lanes.js';
import type { DoubtfulCopies } from '../overflow/doubtful-copies.js';
import { SpillTable } from '../overflow/spill-table.js';
import { Lanes } from './lanes.js';
import type { PartitionWindow, Work } from './partition-window.js';

export class OwnedPartition {
  /** Names this ownership; what an earlier one has moved bears another name. */
  readonly owner = randomUUID();
  readonly lanes = new Lanes<Work>();
  readonly spills = new SpillTable();
  readonly parked = new ParkedLanes();
  private readonly windows = new Map<string, PartitionWindow>();
  /** By the topic that was moved from. */
  private readonly doubtful = new Map<string, DoubtfulCopies>();

  add(window: PartitionWindow, doubtful: DoubtfulCopies): void {
    this.windows.set(window.partition.topic, window);
    this.doubtful.set(window.partition.topic, doubtful);
  }

  /** What the commits of a topic say of copies that may exist twice. */
  doubtfulNote(topic: string): string {
    return this.doubtful.get(topic)?.note() ?? '';
  }

  /** The overflow is settled so far. */
  overflowSettledBelow(mark: bigint): void {
    for (const doubtful of this.doubtful.values()) doubtful.settledBelow(mark);
  }

  /** True for a second copy of the same place. */
  isRepeatedCopy({ delivery: { side } }: Work): boolean {
    return side !== null && this.doubtful.get(side.from.topic)?.isRepeat(side.from.offset) === true;
  }

  windowOf(topic: string): PartitionWindow | undefined {
    return this.windows.get(topic);
  }

  /**
   * True for a copy that an earlier owner made and did not come to settle the original of: the original is read again,
   * and the copy must not be delivered beside it.
   */
  isAbandonedCopy({ delivery: { side } }: Work): boolean {
    if (side === null || side.owner === this.owner) return false;
    const original = this.windows.get(side.from.topic);
    return original !== undefined && !original.wasSettledBefore(side.from.offset);
  }
}
