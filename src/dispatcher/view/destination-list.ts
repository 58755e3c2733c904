// The destinations of a subscription, the ones in trouble first, then the busiest.
import type { Destination } from '../sending/destination.js';
import { type DestinationRow, statesOf } from './backlog.js';

/** One destination, with its pace over the last seconds. */
export interface ListedDestination extends DestinationRow {
  /** Ready, in flight, or waiting for a retry. */
  readonly pending: number;
  /** Deliveries that ended, and attempts that failed. */
  readonly endedPerSecond: number;
  readonly failedPerSecond: number;
  /** What holds the ready ones back now. */
  readonly hold: { readonly reason: string; readonly detail: string } | null;
}

export interface DestinationList {
  /** Of all that match, by what their circuits say. */
  readonly total: number;
  readonly open: number;
  readonly recovering: number;
  readonly rows: readonly ListedDestination[];
}

interface Ranked {
  readonly destination: Destination;
  readonly states: DestinationRow['states'];
  readonly rank: number;
}

/** Above any number that may wait. */
const trouble = 1e9;

export interface ListOrder {
  /** Part of the name, in small letters; empty for all. */
  readonly match: string;
  readonly limit: number;
  readonly nowMs: number;
  readonly toUnixMs: (elapsedMs: number) => number;
}

export function listDestinations(destinations: Iterable<Destination>, order: ListOrder): DestinationList {
  const { match, limit, nowMs, toUnixMs } = order;
  const ranked: Ranked[] = [];
  const count = { open: 0, recovering: 0 };
  for (const destination of destinations) {
    if (match !== '' && !destination.name.toLowerCase().includes(match)) continue;
    const states = statesOf(destination, toUnixMs);
    if (states.some(({ state }) => state === 'open')) count.open += 1;
    else if (states.some(({ state }) => state === 'recovering')) count.recovering += 1;
    const rank = (states.length === 0 ? 0 : trouble) + destination.pending;
    ranked.push({ destination, states, rank });
  }
  ranked.sort((a, b) => b.rank - a.rank);
  return {
    total: ranked.length,
    ...count,
    rows: ranked.slice(0, limit).map(({ destination, states }) => rowOf(destination, states, nowMs)),
  };
}

function rowOf(destination: Destination, states: DestinationRow['states'], nowMs: number): ListedDestination {
  const { name, inFlight, ready, pending, hold } = destination;
  return {
    destination: name,
    inFlight,
    ready,
    pending,
    endedPerSecond: destination.endedPerSecond(nowMs),
    failedPerSecond: destination.failedPerSecond(nowMs),
    hold: hold === null ? null : { reason: hold.reason, detail: hold.detail },
    states,
  };
}
