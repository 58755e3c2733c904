// A bigpipe whose doors are in workers, and what the operator sees of them.
import { readdir, readFile } from 'node:fs/promises';
import type { BigpipeProcess } from './bigpipe-process.ts';
import { until } from './until.ts';

export interface SeenWorker {
  readonly worker: number;
  readonly pid: number | null;
  readonly state: string;
  readonly connections: number;
  readonly replaced: number;
}

/** From /health, whether it is healthy or not. */
export async function workersOf(bigpipe: BigpipeProcess): Promise<readonly SeenWorker[]> {
  const page = (await (await fetch(`${bigpipe.management}/health`)).json()) as {
    details: { workers: { list: readonly SeenWorker[] } };
  };
  return page.details.workers.list;
}

/** A worker that stands still is waited for before it is replaced, and a start takes its time on a busy machine. */
const replacedWithinMs = 120_000;

/** Resolves to the workers' process ids once all of them take calls and have been replaced so often, all together. */
export function untilServing(bigpipe: BigpipeProcess, replaced: number): Promise<readonly number[]> {
  const allServe = async () => {
    const list = await workersOf(bigpipe);
    const sum = list.reduce((all, worker) => all + worker.replaced, 0);
    if (sum !== replaced || list.some(({ state }) => state !== 'serving')) return false;
    return list.map(({ pid }) => pid as number);
  };
  return until(`all workers serve, after ${replaced} replacements`, allServe, replacedWithinMs);
}

/**
 * False for a process that is gone, or that only waits for its parent to notice. Its first thread may have ended while others still
 * do, and with them what it listened on: connections come to it until the last one has.
 */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !stat.includes(') Z ') || (await readdir(`/proc/${pid}/task`)).length > 1;
  } catch {
    return false;
  }
}
