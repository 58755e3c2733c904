// One partition number that this process owns for a subscription: what its topic's window and those of its side topics share.
import { randomUUID } from 'node:crypto';
import { ParkedLanes } from '../dead-letters/parked-lanes.js';
import type { AdoptedCopies } from '../overflow/adopted-copies.js';
import { CopyEnds } from '../overflow/copy-ends.js';
import { Rotation } from '../overflow/rotation.js';
import { SpillTable } from '../overflow/spill-table.js';
import { Lanes } from './lanes.js';
import type { PartitionWindow, Work } from './partition-window.js';

export class OwnedPartition {
  /** Names this ownership; what an earlier one has moved bears another name. */
  readonly owner = randomUUID();
  readonly lanes = new Lanes<Work>();
  readonly spills: SpillTable;
  readonly parked = new ParkedLanes();
  readonly copies = new CopyEnds();
  readonly rotation = new Rotation();
  /** How many messages of a lane are on their way to the overflow. */
  private readonly moving = new Map<string, number>();
  private readonly windows = new Map<string, PartitionWindow>();
  private readonly adopted = new Map<string, AdoptedCopies>();

  constructor(
    /** SpillTable's. */
    identity: string,
    /** Assignment's. */
    readonly isOurs: () => boolean,
  ) {
    this.spills = new SpillTable(identity);
  }

  add({ window, adopted }: { readonly window: PartitionWindow; readonly adopted: AdoptedCopies }): void {
    this.windows.set(window.partition.topic, window);
    this.adopted.set(window.partition.topic, adopted);
  }

  /** What was found at the takeover of copies of a topic's messages. */
  adoptedOf(topic: string): AdoptedCopies | undefined {
    return this.adopted.get(topic);
  }

  /** A message of the lane begins to be moved to the overflow, or stands there, or is not moved after all. */
  countMoving(lane: string | null, change: 1 | -1): void {
    if (lane === null) return;
    const count = (this.moving.get(lane) ?? 0) + change;
    if (count === 0) this.moving.delete(lane);
    else this.moving.set(lane, count);
  }

  isMoving(lane: string): boolean {
    return this.moving.has(lane);
  }

  windowOf(topic: string): PartitionWindow | undefined {
    return this.windows.get(topic);
  }
}
