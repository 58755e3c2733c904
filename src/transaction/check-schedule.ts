// When an undecided transaction is asked about next; pure.
import { murmur2 } from '../message/partitioner.js';
import type { Undecided } from './transaction-state.js';

export interface ScheduleSettings {
  readonly intervalMs: number;
  readonly maxIntervalMs: number;
  readonly maxChecks: number;
}

/** Each wait is longer than the one before it by this. */
const factor = 2;
/** Of a wait, at most; so that what began together does not ask together for ever. */
const jitter = 0.2;
/** Before another instance is asked when one was silent. */
const otherInstanceMs = 1000;

export interface Scheduled {
  readonly id: string;
  readonly createdMs: number;
  readonly firstCheckMs: number;
  readonly state: Undecided;
}

/** Unix milliseconds; null: not again. A question that is under way is lost at its `untilMs`. */
export function nextCheckMs(
  { id, createdMs, firstCheckMs, state }: Scheduled,
  settings: ScheduleSettings,
): number | null {
  const { checks, silent, asked, asks, sinceMs } = state;
  if (asked !== null) return asked.untilMs;
  if (checks >= settings.maxChecks) return null;
  if (sinceMs === 0) return createdMs + firstCheckMs;
  if (silent > 0) return sinceMs + Math.min(otherInstanceMs, settings.intervalMs);
  const waitMs = Math.min(settings.maxIntervalMs, settings.intervalMs * factor ** Math.max(0, checks - 1));
  return sinceMs + waitMs * (1 - jitter * shareOf(`${id} ${asks}`));
}

/** From 0 to 1, the same each time. */
const shareOf = (text: string) => (murmur2(Buffer.from(text)) >>> 0) / 2 ** 32;
