// What a loop probe has noted, and what it says about a span of time.
import { readFileSync } from 'node:fs';

export interface Pause {
  /** Monotonic microseconds of its end, the same for all processes of a machine. */
  readonly atUs: number;
  /** The same of the process's own clock, begin and end. */
  readonly fromMs: number;
  readonly toMs: number;
  /** How late the loop was. */
  readonly ms: number;
  /** What its thread computed meanwhile: a pause without it was the machine's, or the disk's. */
  readonly cpuMs: number;
  /** Of the collector's, within it. */
  readonly gcMs?: number;
}

/** Of about a second. */
export interface LoopNotes {
  /** 0: the main thread. */
  readonly thread: number;
  readonly fromUs: number;
  readonly toUs: number;
  /** Tenths of milliseconds, one a tick. */
  readonly delays: readonly number[];
  readonly pauses: readonly Pause[];
}

export interface LoopDelays {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  readonly pauses: readonly Pause[];
}

export type Thread = 'main' | 'others';

export function readNotes(file: string): LoopNotes[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // The last one may be half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as LoopNotes);
}

/** Of the seconds that lie whole within the span. */
export function delaysWithin(
  notes: readonly LoopNotes[],
  thread: Thread,
  { fromUs, toUs }: Pick<LoopNotes, 'fromUs' | 'toUs'>,
): LoopDelays {
  const within = notes.filter(
    (one) => (one.thread === 0) === (thread === 'main') && one.fromUs >= fromUs && one.toUs <= toUs,
  );
  const delays = within.flatMap((one) => one.delays).toSorted((a, b) => a - b);
  const at = (share: number) => (delays[Math.min(delays.length - 1, Math.floor(delays.length * share))] ?? 0) / 10;
  return {
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    p999Ms: at(0.999),
    maxMs: at(1),
    pauses: within.flatMap(({ pauses }) => pauses),
  };
}

/** Pauses that the thread itself computed through, so long at least: what the machine or the disk held up is not among them. */
export const ownPauses = (pauses: readonly Pause[], leastMs: number): Pause[] =>
  pauses.filter(({ cpuMs }) => cpuMs >= leastMs);
