// A window with what it shares with the others of its partition number.
import { AdoptedCopies } from '../overflow/adopted-copies.js';
import type { Rotation } from '../overflow/rotation.js';
import type { OwnedPartition } from './owned-partition.js';
import type { PartitionWindow } from './partition-window.js';

/** Of the subscription's own topic, of its overflow, one of its delay topics, its parked keys, or its dead letters that are sent again. */
export type InletKind = 'origin' | 'overflow' | 'delay' | 'parked' | 'letter';

export class Inlet {
  /** What a destination that stands still may keep of the window; known once it was full. */
  share = Number.POSITIVE_INFINITY;
  /** Only the overflow turns round. */
  readonly rotation: Rotation | null;
  /** Originals that an earlier owner had copied elsewhere and did not come to settle. */
  readonly adopted = new AdoptedCopies();

  /** Of a delay topic: when the last message was due (Clock.elapsedMs), and when it had been stored. */
  lastDue: { readonly timestampMs: number; readonly dueMs: number } | null = null;

  constructor(
    readonly window: PartitionWindow,
    readonly owned: OwnedPartition,
    readonly kind: InletKind,
    /** The topic's end when the partition was taken over. */
    readonly leftEnd: bigint,
    /** What the earlier owner had not settled below it was held before what it left in the overflow. */
    readonly followFrom: bigint,
    /** What the earlier owner's last commit says of copies (CopyEnds.note); null when it ended in order. */
    readonly copyNote: string | null,
  ) {
    this.rotation = kind === 'overflow' ? owned.rotation : null;
  }

  /** The latest moment at which a message of a delay topic is due that was stored at that time. */
  dueAfterLast(timestampMs: number): number {
    const { lastDue } = this;
    return lastDue === null ? Number.POSITIVE_INFINITY : lastDue.dueMs + Math.max(0, timestampMs - lastDue.timestampMs);
  }
}
