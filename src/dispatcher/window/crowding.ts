// What leaves a full window for the overflow, so that others find room in it; pure but for what it asks.
import type { Lanes } from './lanes.js';
import type { PartitionWindow, Work } from './partition-window.js';

/** All destinations that stand still may together keep this part of a window; one alone a little less. */
const shareOfAll = 1 / 2;
const shareOfOne = 3 / 8;
/** One key may keep this part. */
const shareOfLane = 1 / 8;

/** Nothing is under way for it, so that it can be moved as it stands. */
const movable: ReadonlySet<Work['stage']> = new Set(['order', 'ready', 'retry']);

export interface Crowd {
  /** In the order of their offsets. */
  readonly leaving: readonly Work[];
  /** What a destination that stands still may keep of this window, from 0 to 1. */
  readonly share: number;
}

/**
 * The newest messages of destinations that stand still, and of keys that queue up, beyond their shares. A message
 * leaves only when it is the last of its lane, after those that leave with it.
 */
export function crowdOf(
  window: PartitionWindow,
  lanes: Lanes<Work>,
  maxOpen: number,
  standsStill: (destination: string) => boolean,
): Crowd {
  const still = new Set(window.destinations().filter(standsStill));
  const share = Math.min(shareOfOne, shareOfAll / Math.max(1, still.size));
  const maxLane = Math.max(1, Math.floor(maxOpen * shareOfLane));
  const leaving: Work[] = [];
  // As in most windows that fill: to look at each of its messages would cost a twentieth of delivering them.
  if (still.size === 0 && lanes.waiting < maxLane) return { leaving, share };
  const left = new Map<string, number>();
  const taken = new Map<string, number>();
  for (const work of [...window.works()].reverse()) {
    const { lane, stage, delivery } = work;
    const { destination } = delivery;
    const takenOfLane = lane === null ? 0 : (taken.get(lane) ?? 0);
    if (!movable.has(stage) || !lanes.isLast(work, takenOfLane)) continue;
    const kept = window.shareOf(destination) - (left.get(destination) ?? 0);
    const isOverShare = still.has(destination) && kept > share;
    const isLongLane = lane !== null && lanes.lengthOf(work) - takenOfLane > maxLane;
    if (!isOverShare && !isLongLane) continue;
    leaving.push(work);
    left.set(destination, (left.get(destination) ?? 0) + window.shareOfOne(work));
    if (lane !== null) taken.set(lane, takenOfLane + 1);
  }
  return { leaving: leaving.reverse(), share };
}
