// What the bench says to its helper processes, and what they answer.

import type { CallForm } from './call-body.ts';

/** A helper's commands: each with its request and its answer, both plain JSON. */
export type Commands<C> = { readonly [K in keyof C]: { request: unknown; answer: unknown } };

export interface LatencySummary {
  readonly count: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export interface LoadTarget extends CallForm {
  readonly port: number;
  readonly connections: number;
  /** Number of the first call; each further call has the next one. */
  readonly firstSequence: number;
}

export interface ClosedLoad extends LoadTarget {
  /** Ends after this many calls, or after this time, whichever comes first. */
  readonly count: number;
  readonly durationMs: number;
}

export interface SteadyLoad extends LoadTarget {
  readonly perSecond: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly accepted: number;
  /** Anything but HTTP 200 with errno 0, connections that broke included. */
  readonly refused: number;
  /** One of the refusals, to look into. */
  readonly sample: string;
  /** Monotonic milliseconds, the same for all processes of a machine. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly latency: LatencySummary;
}

export interface LoadCommands {
  closed: { request: ClosedLoad; answer: LoadResult };
  steady: { request: SteadyLoad; answer: LoadResult };
  /** A steady load makes no further call, and answers. */
  end: { request: null; answer: null };
}

export interface Arrivals {
  readonly arrived: number;
  /** Different calls among them, and repeats of a call; requests of the reference sender are in neither. */
  readonly distinct: number;
  readonly repeated: number;
  readonly lastMs: number;
  /** From the calls' own timestamps to their arrivals. */
  readonly latency: LatencySummary;
}

export interface Gaps extends LatencySummary {
  /** Longer than 50 ms. */
  readonly pauses: number;
  /** From a call's own timestamp to its arrival: the longest. */
  readonly longestWaitMs: number;
}

export interface ReceiverCommands {
  open: { request: { delayMs: number; host: string }; answer: { port: number } };
  /** Forgets what has arrived so far. */
  reset: { request: null; answer: null };
  count: { request: null; answer: Arrivals };
  /** Answers once that many different calls have arrived, or after the time. */
  await: { request: { distinct: number; timeoutMs: number }; answer: Arrivals };
  /** From one arrival to the next, since the last time it was asked; forgets them. */
  gaps: { request: null; answer: Gaps };
}

/** What a scripted receiver does with a request. */
export interface Behaviour {
  readonly delayMs: number;
  /** Destinations from this number on take requests and never answer; null: all answer. */
  readonly silentFrom: number | null;
  /** Of all answers so many are 500, evenly: 0.5 is every second one. */
  readonly failing: number;
  /** Calls whose number is a multiple of it are answered 400. */
  readonly refusedEvery?: number;
}

/** Each request that came, in columns. */
export interface Noted {
  /** Monotonic milliseconds, the same for all processes of a machine. */
  readonly atMs: readonly number[];
  /** bigpipe-attempt. */
  readonly attempt: readonly number[];
  /** The number in `addressOf`, or -1 for another address. */
  readonly destination: readonly number[];
  /** The call's number. */
  readonly sequence: readonly number[];
}

export interface ScriptedReceiverCommands {
  open: { request: Behaviour; answer: { port: number } };
  behave: { request: Behaviour; answer: null };
  /** Nobody listens any more, and every connection is gone. */
  die: { request: null; answer: null };
  /** Listens again, on the same port. */
  rise: { request: null; answer: null };
  noted: { request: null; answer: Noted };
  /** How many there are of them. */
  count: { request: null; answer: { arrived: number } };
}

export interface BareHttpCommands {
  /**
   * With a file, each body is appended to it and synced before the answer. `sharedPort` null: a port of its own; else
   * one that several processes share, 0 for the first of them.
   */
  open: { request: { syncFile: string | null; sharedPort: number | null }; answer: { port: number } };
}

export interface Sent {
  readonly sent: number;
  readonly failed: number;
  readonly elapsedMs: number;
}

export interface SenderCommands {
  send: { request: { origin: string; concurrency: number; count: number; durationMs: number }; answer: Sent };
}

export interface Fetched {
  readonly acked: number;
  /** Until the last one was. */
  readonly elapsedMs: number;
}

export interface PullerCommands {
  pull: {
    request: { port: number; group: string; loops: number; max: number; durationMs: number };
    answer: Fetched;
  };
  subscribe: { request: { port: number; group: string; credits: number; durationMs: number }; answer: Fetched };
}

/** The program's own HTTP target. */
export interface TargetCommands {
  open: { request: { isGuarded: boolean; keeps: boolean }; answer: null };
  send: { request: { origin: string; concurrency: number; count: number }; answer: Sent };
}

export interface Appended {
  readonly appended: number;
  readonly elapsedMs: number;
  /** Of the process, all threads. */
  readonly cpuSeconds: number;
  readonly latency: LatencySummary;
}

export const appendedPerSecond = ({ appended, elapsedMs }: Appended) => (appended * 1000) / elapsedMs;

export interface AppendCommands {
  open: { request: { directory: string; callers: number }; answer: null };
  run: { request: { durationMs: number }; answer: Appended };
  close: { request: null; answer: null };
}

/** Puts messages into the log of a program that does not run, as its door would have, but many at once and without a sync. */
export interface FillCommands {
  open: { request: { directory: string; topic: string; partitions: number }; answer: null };
  fill: {
    request: { count: number; firstSequence: number; callUrl: string; users: number; bytes: number };
    answer: null;
  };
  close: { request: null; answer: null };
}

export interface KafkaAppendCommands extends Pick<AppendCommands, 'run' | 'close'> {
  open: {
    request: { servers: string; topic: string; partitions: number; lingerMs: number; callers: number };
    answer: null;
  };
}

/** A member of a consumer group that posts what it reads; 0 partitions while it is none. */
export interface ConsumerCommands {
  join: { request: { servers: string; topic: string; origin: string }; answer: null };
  assigned: { request: null; answer: { partitions: number } };
  leave: { request: null; answer: null };
}
