// Resident memory with a large backlog: while it is filled, while it lies, and while it is delivered slowly.
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { residentBytes } from '../support/proc.ts';
import { sleep } from '../support/windows.ts';

const sampleMs = 250;
const connections = 256;
const mib = 2 ** 20;
/** A busy machine may not get to the whole backlog; the figures then name what there was. */
const longestFillMs = 120_000;

export async function memory(lab: Lab, goal: Goal): Promise<Figure[]> {
  const messages = lab.quick ? 150_000 : 1_000_000;
  const restMs = lab.quick ? 1000 : 5000;
  const { origin } = await lab.receiver(50);
  const directory = await lab.directory();
  const filling = await lab.app({ directory, concurrency: null });
  const generator = lab.generator();
  const callUrl = `${origin}/hook`;
  const filled = lab.makeCalls(generator, {
    port: filling.port,
    connections,
    callUrl,
    count: messages,
    durationMs: longestFillMs,
  });
  const whileFilling = await sampleUntil(filling, filled);
  const { accepted, startedMs, endedMs } = await filled;
  lab.say(`${accepted} calls of backlog in ${((endedMs - startedMs) / 1000).toFixed(0)} s`);
  const atRest = await sampleUntil(filling, sleep(restMs));
  await filling.stop();
  const draining = await lab.app({ directory, concurrency: 100 });
  const whileDraining = await sampleUntil(draining, sleep(2 * restMs));
  draining.kill();
  // Flat: what the second half of the filling adds to the first.
  const half = Math.floor(whileFilling.length / 2);
  const growth = median(whileFilling.slice(-half / 2)) - median(whileFilling.slice(half / 2, half));
  const of = `${accepted.toLocaleString('en')} messages`;
  const peak = Math.max(...whileFilling, ...atRest, ...whileDraining);
  return [
    { name: `RSS, most, with ${of} of backlog`, unit: 'MB', value: peak, goal },
    { name: `RSS growth in the second half of ${of}`, unit: 'MB', value: growth },
    { name: `RSS at rest with ${of}`, unit: 'MB', value: median(atRest) },
    { name: `RSS delivering ${of}`, unit: 'MB', value: Math.max(...whileDraining) },
  ];
}

async function sampleUntil(app: BigpipeApp, work: Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentBytes(app.pid) / mib), sampleMs);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  return samples;
}
