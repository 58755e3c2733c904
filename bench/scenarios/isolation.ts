// What 45 healthy destinations keep of their throughput beside 5 that take requests and never answer.
import type { Figure, Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import type { Noted } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const healthy = 45;
const silent = 5;
/** How long a request to a silent one holds its slot. */
const timeoutMs = 2000;
const windowMs = 3000;
/*
 * A partition's window holds 1,024 unsettled messages, and until long waits spill to disk the silent destinations' ones
 * stay in it: some day they fill it, and then everybody waits. What is measured here ends before: each destination,
 * silent or not, gets as many calls as the run is long, which over so many partitions are 320 a window at most.
 */
const partitions = 16;

interface Setting {
  readonly name: string;
  readonly delayMs: number;
  readonly concurrency: number;
  readonly rateLimit: number;
  /** What the healthy ones can have together. */
  readonly perSecond: number;
  readonly goal: Goal;
}

/** With requests in flight as the limit, more of them than destinations and fewer; and with the rate. */
export async function isolation(lab: Lab, goal: Goal): Promise<Figure[]> {
  const unlimited = 1_000_000;
  const settings: readonly Setting[] = [
    { name: '64 slots', delayMs: 50, concurrency: 64, rateLimit: unlimited, perSecond: 1280, goal },
    { name: '32 slots', delayMs: 25, concurrency: 32, rateLimit: unlimited, perSecond: 1280, goal },
    { name: 'the rate', delayMs: 20, concurrency: 200, rateLimit: 1000, perSecond: 1000, goal },
  ];
  const figures: Figure[] = [];
  for (const setting of settings) figures.push(await besideSilence(lab, setting));
  return figures;
}

/** Two programs at the same moment, each with its receiver: one has the silent destinations as well. */
async function besideSilence(lab: Lab, setting: Setting): Promise<Figure> {
  const runMs = lab.quick ? 9000 : 30_000;
  const each = Math.ceil((setting.perSecond * (runMs + windowMs)) / 1000 / healthy);
  const [without, beside] = await Promise.all([
    oneSide(lab, setting, healthy),
    oneSide(lab, setting, healthy + silent),
  ]);
  await without.fill(each);
  await beside.fill(each);
  const stops = await Promise.all([without.start(), beside.start()]);
  await sleep(runMs + windowMs / 2);
  const [limit, ours] = [deliveredOf(await without.noted(), runMs), deliveredOf(await beside.noted(), runMs)];
  for (const stop of stops) stop();
  const of = ours.map((count, i) => count / (limit[i] as number));
  lab.say(`${setting.name}: ${of.map((part) => part.toFixed(3)).join(' ')}`);
  const perSecond = (counts: readonly number[]) => (sum(counts) * 1000) / runMs;
  const { name, goal } = setting;
  return {
    name: `${healthy} destinations beside ${silent} silent ones, ${name} the limit`,
    unit: '/s',
    value: perSecond(ours),
    reference: { name: `the ${healthy} alone`, value: perSecond(limit) },
    compared: { how: 'ratio', value: perSecond(ours) / perSecond(limit), of },
    goal,
  };
}

async function oneSide(lab: Lab, { delayMs, concurrency, rateLimit }: Setting, destinations: number) {
  const { receiver, origin } = await lab.scriptedReceiver({ delayMs, silentFrom: healthy, failing: 0 });
  const directory = await lab.directory();
  const consumer = { rateLimit, timeout: timeoutMs };
  return {
    fill: (each: number) => lab.fill(directory, `${origin}/hook`, each * destinations, { destinations, partitions }),
    start: async () => {
      const app = await lab.app({ directory, concurrency, partitions, consumer });
      return () => app.kill();
    },
    noted: () => receiver.call('noted', null),
  };
}

/** Of the healthy ones, in each window since the first arrival: what the first timeouts cost is in it. */
function deliveredOf({ atMs, destination }: Noted, runMs: number): number[] {
  const [firstMs = 0] = atMs;
  const counts = Array.from({ length: runMs / windowMs }, () => 0);
  atMs.forEach((ms, i) => {
    const window = Math.floor((ms - firstMs) / windowMs);
    if ((destination[i] as number) < healthy && window < counts.length) counts[window] = (counts[window] as number) + 1;
  });
  return counts;
}

const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
