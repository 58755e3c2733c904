// How much of a subscription waits, and for what, in the same words as explain.
import type { HoldReason } from '../../policy/policy.js';
import type { Destination } from '../sending/destination.js';
import type { Scheduler } from '../sending/scheduler.js';

/**
 * Messages by what they wait for. `unread`: still in the log only; `overflow`, `delayed`: moved there and not read back yet;
 * `ready`: nothing known holds them.
 */
export type BacklogCounts = Record<
  'unread' | 'overflow' | 'delayed' | 'ready' | 'order' | 'retry' | 'inFlight' | 'toDeadLetter' | HoldReason,
  number
>;

/** A destination that is not simply well: what its gates say, and what waits for it. */
export interface DestinationRow {
  readonly destination: string;
  readonly inFlight: number;
  readonly ready: number;
  readonly states: readonly {
    readonly state: string;
    readonly reason: string;
    readonly since: string;
    readonly nextChange: string | null;
    /** Attempts a second that it lets through now, and once it is over; only while that grows. */
    readonly perSecond?: number;
    readonly fullPerSecond?: number;
  }[];
}

/** More would make a page that nobody reads. */
const maxRows = 20;

export function emptyCounts(): BacklogCounts {
  return {
    unread: 0,
    overflow: 0,
    delayed: 0,
    ready: 0,
    order: 0,
    retry: 0,
    inFlight: 0,
    toDeadLetter: 0,
    pause: 0,
    pull: 0,
    rate: 0,
    concurrency: 0,
    circuit: 0,
    budget: 0,
    'retry-after': 0,
    'warm-up': 0,
    'no-endpoint': 0,
    consent: 0,
  };
}

/** Adds what is ready for its destinations, under the reason that holds it, and what is on its way. */
export function countDestinations(counts: BacklogCounts, { destinations, hold }: Scheduler): void {
  for (const destination of destinations) {
    counts.inFlight += destination.inFlight;
    if (destination.ready === 0) continue;
    const reason = destination.hold?.reason ?? hold?.reason ?? 'ready';
    const overBudget = destination.hold === null && destination.retriesHold !== null ? destination.retries.length : 0;
    counts.budget += overBudget;
    counts[reason] += destination.ready - overBudget;
  }
}

/** Those whose gates have something to say, the fullest first; `toUnixMs` turns the clock's time into the world's. */
export function troubledDestinations(
  destinations: Iterable<Destination>,
  toUnixMs: (elapsedMs: number) => number,
): DestinationRow[] {
  const rows: DestinationRow[] = [];
  for (const destination of destinations) {
    const states = statesOf(destination, toUnixMs);
    const { name, inFlight, ready } = destination;
    if (states.length > 0) rows.push({ destination: name, inFlight, ready, states });
  }
  return rows.sort((a, b) => b.ready - a.ready).slice(0, maxRows);
}

/** What the gates of a destination have to say. */
export function statesOf({ row }: Destination, toUnixMs: (elapsedMs: number) => number): DestinationRow['states'] {
  const timeOf = (elapsedMs: number) => new Date(toUnixMs(elapsedMs)).toISOString();
  return row.states().map(({ state, reason, sinceMs, nextChangeMs, growth }) => ({
    state,
    reason,
    since: timeOf(sinceMs),
    nextChange: nextChangeMs === null ? null : timeOf(nextChangeMs),
    ...growth,
  }));
}
