// Lanes whose first message waits long for its next attempt: they leave a full window whole, with what waits behind it.
import type { OwnedPartition } from './owned-partition.js';
import type { PartitionWindow, Work } from './partition-window.js';

/** A retry that waits no longer does so in memory: it is cheaper than an append. */
export const longWaitMs = 10_000;

/** Such lanes may together keep this part of a window: those whose time comes first. */
const shareOfHeld = 1 / 4;

export interface HeldLane {
  readonly name: string;
  /** When its first message is due, as Clock.elapsedMs(). */
  readonly dueMs: number;
  /** In their order. */
  readonly works: readonly Work[];
}

/**
 * Those that leave, the first of each lane first. A lane goes with all of it, whichever window that is in, and only when nothing
 * of it is on its way already: so what has left it stands in the overflow in its order, and it can be put back in one piece.
 */
export function heldLanesOf(window: PartitionWindow, owned: OwnedPartition, nowMs: number): readonly HeldLane[] {
  const names = new Set<string>();
  let share = 0;
  const held: HeldLane[] = [];
  for (const { lane } of window.works()) {
    if (lane === null || names.has(lane)) continue;
    names.add(lane);
    const works = owned.lanes.itemsOf(lane);
    const [first] = works;
    if (first === undefined || !isHeld(works, nowMs)) continue;
    share += shareIn(window, works);
    if (!owned.isMoving(lane) && !owned.parked.knows(lane) && Number.isFinite(owned.spills.highestLeft(first)))
      held.push({ name: lane, dueMs: first.stageMs, works });
  }
  held.sort((a, b) => b.dueMs - a.dueMs);
  const leaving: HeldLane[] = [];
  for (const lane of held) {
    if (share <= shareOfHeld) break;
    share -= shareIn(window, lane.works);
    leaving.push(lane);
  }
  return leaving;
}

function isHeld([first, ...others]: readonly Work[], nowMs: number): boolean {
  if (first === undefined || first.stage !== 'retry' || first.stageMs - nowMs < longWaitMs) return false;
  // One lane for all of the partition has nobody to make room for.
  if (first.lane === first.spillGroup) return false;
  return first.resent === null && others.every(({ stage, resent }) => stage === 'order' && resent === null);
}

function shareIn(window: PartitionWindow, works: readonly Work[]): number {
  return works.reduce((sum, work) => sum + (work.window === window ? window.shareOfOne(work) : 0), 0);
}
