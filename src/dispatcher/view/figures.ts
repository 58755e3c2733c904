// What one subscription shows of itself to /metrics at a moment: its backlog by why it waits, its age, its destinations.
import { wantedAtMs } from '../../message/delivery.js';
import type { GateFigures } from '../../policy/policy.js';
import type { Destination } from '../sending/destination.js';
import type { Scheduler } from '../sending/scheduler.js';
import type { Work } from '../window/partition-window.js';
import type { BacklogCounts } from './backlog.js';

/**
 * Why a message waits. ready: for nothing but its turn, so that another node would help. throttled: for a limit of its receiver.
 * open: for a circuit, or for an endpoint of a group that has none. delayed: for its time. blocked: for an earlier one of its key. paused: for an operator.
 */
export const backlogReasons = ['ready', 'throttled', 'open', 'delayed', 'blocked', 'paused'] as const;
export type BacklogReason = (typeof backlogReasons)[number];
export type Backlog = Record<BacklogReason, number>;

export interface LabelFigures {
  /** Destinations under this label, by the state of their circuit. */
  readonly circuits: Record<GateFigures['circuit'], number>;
  /** The least of them. */
  admittedShare: number;
  /** The highest of them. */
  budgetUsed: number;
  /** The least of them; null where nothing is limited. */
  concurrencyLimit: number | null;
}

/** Which of the words of /stats and explain stands for which reason; what is not here waits for nothing any more. */
const reasonOf = {
  ready: 'ready',
  order: 'blocked',
  retry: 'delayed',
  delayed: 'delayed',
  pause: 'paused',
  // Only whoever fetches can do something about it.
  pull: 'ready',
  rate: 'throttled',
  concurrency: 'throttled',
  budget: 'throttled',
  'retry-after': 'throttled',
  'warm-up': 'throttled',
  circuit: 'open',
  'no-endpoint': 'open',
  consent: 'open',
} as const satisfies Partial<Record<keyof BacklogCounts, BacklogReason>>;

/** Of a window that is full: so many tell what the others wait for. */
const sampled = 64;

/** Of what is read; `counts.unread` and `counts.overflow` are to be added by `unreadReason` of their windows. */
export function backlogOf(counts: BacklogCounts, { hold }: Scheduler): Backlog {
  const backlog: Backlog = { ready: 0, throttled: 0, open: 0, delayed: 0, blocked: 0, paused: 0 };
  for (const [word, reason] of Object.entries(reasonOf)) backlog[reason] += counts[word as keyof typeof reasonOf];
  if (hold?.reason === 'concurrency') {
    // Who waits for a slot of this process waits for no receiver.
    backlog.throttled -= counts.concurrency;
    backlog.ready += counts.concurrency;
  }
  return backlog;
}

/** Why nothing more of a window's partition is read: what most of those wait for that are in it. */
export function unreadReason(isPaused: boolean, works: Iterable<Work>, scheduler: Scheduler): BacklogReason {
  if (!isPaused) return 'ready';
  const votes = new Map<BacklogReason, number>();
  let looked = 0;
  for (const work of works) {
    const reason = reasonOfWork(work, scheduler);
    votes.set(reason, (votes.get(reason) ?? 0) + 1);
    looked += 1;
    if (looked === sampled) break;
  }
  const [most] = [...votes].sort(([, a], [, b]) => b - a);
  return most?.[0] ?? 'ready';
}

function reasonOfWork({ stage, delivery }: Work, { destinations, hold }: Scheduler): BacklogReason {
  const held = destinations.find(delivery.destination)?.hold?.reason;
  // A lane stands still for whatever its destination does.
  if (held !== undefined) return reasonOf[held];
  if (stage === 'order') return 'blocked';
  if (stage === 'retry' || stage === 'not yet') return 'delayed';
  return hold === null || hold.reason === 'concurrency' ? 'ready' : reasonOf[hold.reason];
}

/** Unix milliseconds of the oldest one that waits for nothing but its turn; null for none. */
export function oldestReadyMs({ destinations, hold }: Scheduler): number | null {
  if (hold !== null && hold.reason !== 'concurrency') return null;
  let oldestMs: number | null = null;
  for (const destination of destinations) {
    if (destination.hold !== null) continue;
    // Each in the order in which they became ready.
    for (const work of [destination.firsts.peek(), destination.retries.peek()]) {
      if (work === undefined) continue;
      const wantedMs = wantedAtMs(work.delivery);
      if (oldestMs === null || wantedMs < oldestMs) oldestMs = wantedMs;
    }
  }
  return oldestMs;
}

/** What is read and what is not, together. */
export interface SubscriptionFigures {
  readonly backlog: Backlog;
  readonly inFlight: number;
  /** Unix milliseconds; null where nothing is ready. */
  readonly oldestReadyMs: number | null;
  /** Until what is ready and throttled is delivered at the pace of the last seconds; infinite when nothing is. */
  readonly drainSeconds: number;
  readonly byLabel: ReadonlyMap<string, LabelFigures>;
}

export function drainSecondsOf({ ready, throttled }: Backlog, endedPerSecond: number): number {
  const waiting = ready + throttled;
  return waiting === 0 ? 0 : waiting / endedPerSecond;
}

/** By label; a destination that nobody has sent to yet has none. */
export function figuresByLabel(destinations: Iterable<Destination>): Map<string, LabelFigures> {
  const byLabel = new Map<string, LabelFigures>();
  for (const { label, row } of destinations) {
    for (const { circuit, admittedShare, concurrencyLimit, budgetUsed } of row.figures()) {
      let figures = byLabel.get(label);
      if (figures === undefined) {
        figures = {
          circuits: { closed: 0, open: 0, recovering: 0 },
          admittedShare: 1,
          budgetUsed: 0,
          concurrencyLimit: null,
        };
        byLabel.set(label, figures);
      }
      figures.circuits[circuit] += 1;
      figures.admittedShare = Math.min(figures.admittedShare, admittedShare);
      figures.budgetUsed = Math.max(figures.budgetUsed, budgetUsed);
      if (concurrencyLimit !== null)
        figures.concurrencyLimit = Math.min(figures.concurrencyLimit ?? concurrencyLimit, concurrencyLimit);
    }
  }
  return byLabel;
}
