// One partition number that this process owns for a subscription: what its topic's window and those of its side topics share.
import { randomUUID } from 'node:crypto';
import { ParkedLanes } from '../dead-letters/parked-lanes.js';
import { CopyEnds } from '../overflow/copy-ends.js';
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
  private readonly windows = new Map<string, PartitionWindow>();

  /** SpillTable's. */
  constructor(identity: string) {
    this.spills = new SpillTable(identity);
  }

  add(window: PartitionWindow): void {
    this.windows.set(window.partition.topic, window);
  }

  windowOf(topic: string): PartitionWindow | undefined {
    return this.windows.get(topic);
  }
}
