// Which partitions go to which node in one request; pure but for what a lane keeps of itself.
import type { AppendLane } from './append-lane.js';

/** Bounds one request; one larger message still goes. */
const maxRequestBytes = 4_194_304;

export interface PlanParts {
  readonly nowMs: number;
  /** Null while nobody leads it. */
  readonly leaderOf: (lane: AppendLane) => number | null;
  /** A node has one request under way at most. */
  readonly isBusy: (node: number) => boolean;
  readonly maxBatchBytes: number;
}

export interface RequestPlan {
  /** By node. */
  readonly requests: ReadonlyMap<number, readonly AppendLane[]>;
  /** Until the first lane that has to wait may go; Infinity for none. */
  readonly waitMs: number;
  readonly isLeaderless: boolean;
}

export function planRequests(lanes: Iterable<AppendLane>, parts: PlanParts): RequestPlan {
  const { nowMs, leaderOf, isBusy, maxBatchBytes } = parts;
  const requests = new Map<number, AppendLane[]>();
  /** Bytes by node; Infinity for a request that takes no more partitions. */
  const filled = new Map<number, number>();
  let waitMs = Number.POSITIVE_INFINITY;
  let isLeaderless = false;
  for (const lane of lanes) {
    if (lane.inFlight || lane.isIdle) continue;
    const leader = lane.notBeforeMs > nowMs ? null : leaderOf(lane);
    if (leader === null) {
      if (lane.notBeforeMs <= nowMs) {
        isLeaderless = true;
        lane.failed(nowMs);
      }
      waitMs = Math.min(waitMs, lane.notBeforeMs - nowMs);
      continue;
    }
    const isAlone = lane.alone || lane.identity !== null;
    const bytes = filled.get(leader) ?? 0;
    if (isBusy(leader) || bytes > maxRequestBytes || (isAlone && bytes > 0)) continue;
    const batch = lane.next(maxBatchBytes);
    if (batch === null) continue;
    requests.set(leader, [...(requests.get(leader) ?? []), lane]);
    const weight = batch.reduce((sum, entry) => sum + entry.weight, bytes);
    filled.set(leader, isAlone ? Number.POSITIVE_INFINITY : weight);
  }
  return { requests, waitMs, isLeaderless };
}
