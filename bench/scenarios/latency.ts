// How long a call takes to its receiver, idle and at half of what the program can do, and how late its event loop is meanwhile.
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { oneDestination } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab, LoadGenerator } from '../support/lab.ts';
import { nowUs } from '../support/latency.ts';
import { delaysWithin, type LoopDelays, ownPauses, type Pause, readNotes } from '../support/loop-notes.ts';
import type { LatencySummary, LoadResult } from '../support/protocol.ts';
import { inTurns, sleep } from '../support/windows.ts';

const connections = 64;
const idlePerSecond = 100;
/** Retention looks every 10 s, and takes everything that was settled. */
const retention = { 'broker.embedded.retention.ms': 1000 };
const longMs = 50;
/** The probe writes its notes once a second. */
const notedMs = 1500;
const reference = 'bare POST and one fdatasync';
const percentiles = ['p50Ms', 'p99Ms', 'p999Ms'] as const;
const names = { p50Ms: 'p50', p99Ms: 'p99', p999Ms: 'p99.9' } as const;

export async function latency(lab: Lab, goals: { readonly arrival: Goal; readonly pauses: Goal }): Promise<Figure[]> {
  const { receiver, origin } = await lab.receiver(0);
  const directory = await lab.directory();
  const [notes, idleNotes] = [join(directory, 'loop-notes'), join(directory, 'idle-loop-notes')];
  const app = await lab.app({ directory, concurrency: 100, settings: retention, loopNotes: notes });
  lab.idler(idleNotes);
  const bare = await lab.bareHttp(join(directory, 'bare-post'));
  const generator = lab.generator();
  const callUrl = `${origin}/hook`;
  const steady = steadyCalls(generator, callUrl);

  const capacity = await capacityOf(lab, app, generator, callUrl, (count) =>
    receiver.call('await', { distinct: count, timeoutMs: 120_000 }).then(async (arrivals) => {
      await receiver.call('reset', null);
      return arrivals;
    }),
  );
  const half = Math.max(1, Math.floor(capacity / 2));
  lab.say(`${capacity.toFixed(0)} calls a second were accepted and delivered: half of it is ${half}`);

  const measured = async (perSecond: number, durationMs: number) => {
    await receiver.call('reset', null);
    const { accepted } = await steady(app.port, perSecond, durationMs);
    const { distinct, latency: arrival } = await receiver.call('await', { distinct: accepted, timeoutMs: 60_000 });
    assert.equal(distinct, accepted);
    return arrival;
  };
  const atRate = async (name: string, perSecond: number, durationMs: number): Promise<Figure[]> => {
    const pairs = await inTurns(
      lab.quick ? 2 : 5,
      () => measured(perSecond, durationMs),
      async () => (await steady(bare.port, perSecond, durationMs)).latency,
    );
    return percentiles.map((percentile) => {
      const what = { name: `accept to arrival ${names[percentile]}, ${name}`, unit: 'ms', reference } as const;
      const of = (summary: LatencySummary) => summary[percentile];
      const withGoal = percentile === 'p99Ms' ? { goal: goals.arrival } : {};
      return comparedFigure(
        { ...what, how: 'above', ...withGoal },
        pairs.map(({ ours, limit }) => ({ ours: of(ours), limit: of(limit) })),
      );
    });
  };
  const idle = await atRate(`idle (${idlePerSecond}/s)`, idlePerSecond, lab.quick ? 3000 : 10_000);
  const loaded = await atRate('half of the capacity', half, lab.quick ? 2000 : 5000);

  // Long enough for checkpoints, retention and full collections.
  const fromUs = nowUs();
  const before = await appendsOf(app);
  const arrival = await measured(half, lab.quick ? 25_000 : 60_000);
  await sleep(notedMs);
  const span = { fromUs, toUs: nowUs() };
  const after = await appendsOf(app);
  const [appends, longOnes] = [after.all - before.all, after.long - before.long];
  lab.say(`${longOnes} of ${appends} appends took ${longMs} ms and more`);
  lab.say(`in one go: p50 ${arrival.p50Ms} p99 ${arrival.p99Ms} p99.9 ${arrival.p999Ms} max ${arrival.maxMs} ms`);
  const ours = readNotes(notes);
  const main = delaysWithin(ours, 'main', span);
  const writer = delaysWithin(ours, 'others', span);
  const nobody = delaysWithin(readNotes(idleNotes), 'main', span);
  tell(lab, 'main thread', main.pauses);
  tell(lab, 'writer thread', writer.pauses);
  tell(lab, 'a process that does nothing', nobody.pauses);
  return [
    { name: 'capacity, accepted and delivered at once', unit: '/s', value: capacity },
    ...idle,
    ...loaded,
    ...loopFigures('event loop', main, nobody),
    ...loopFigures('writer thread', writer, nobody),
    {
      name: `appends that took ${longMs} ms and more, for a million, half of the capacity`,
      unit: '',
      value: (longOnes * 1e6) / Math.max(1, appends),
    },
    {
      name: `pauses of the event loop that it computed through for ${longMs} ms`,
      unit: '',
      value: ownPauses(main.pauses, longMs).length,
      goal: goals.pauses,
    },
  ];
}

/** How many appends callers have waited for, and for how many of them long: a pause of the writer thread is what somebody waits for. */
async function appendsOf({ managementPort }: BigpipeApp): Promise<{ all: number; long: number }> {
  const page = await (await fetch(`http://127.0.0.1:${managementPort}/metrics`)).text();
  const within = (le: string) =>
    [...page.matchAll(/^bigpipe_append_duration_seconds_bucket\{(.*)\} (\d+)/gm)]
      .filter(([, labels = '']) => labels.includes(`le="${le}"`))
      .reduce((sum, [, , count]) => sum + Number(count), 0);
  const all = within('+Inf');
  return { all, long: all - within(String(longMs / 1000)) };
}

function loopFigures(name: string, ours: LoopDelays, nobody: LoopDelays): Figure[] {
  const who = 'a process that does nothing';
  return (['p99Ms', 'p999Ms', 'maxMs'] as const).map((what) => ({
    name: `${name} late, ${what === 'maxMs' ? 'longest' : names[what]}, half of the capacity`,
    unit: 'ms',
    value: ours[what],
    reference: { name: who, value: nobody[what] },
  }));
}

function tell(lab: Lab, name: string, pauses: readonly Pause[]): void {
  const longest = pauses.toSorted((a, b) => b.ms - a.ms).slice(0, 5);
  const shown = longest.map(
    ({ ms, cpuMs, gcMs = 0 }) => `${ms.toFixed(0)} ms (computed ${cpuMs.toFixed(0)}, of it garbage ${gcMs.toFixed(0)})`,
  );
  lab.say(
    `${name}: ${pauses.filter(({ ms }) => ms >= longMs).length} pauses of ${longMs} ms and more; ${shown.join(', ')}`,
  );
}

/** Calls that are accepted and delivered at once, as many as there can be. */
async function capacityOf(
  lab: Lab,
  { port }: BigpipeApp,
  generator: LoadGenerator,
  callUrl: string,
  arrived: (count: number) => Promise<{ lastMs: number }>,
): Promise<number> {
  const count = lab.quick ? 4000 : 15_000;
  const rates: number[] = [];
  for (let turn = 0; turn < 4; turn += 1) {
    const { startedMs } = await lab.makeCalls(generator, { port, connections, callUrl, count });
    rates.push((count * 1000) / ((await arrived(count)).lastMs - startedMs));
  }
  return median(rates.slice(1));
}

function steadyCalls(generator: LoadGenerator, callUrl: string) {
  // Past what the other calls are numbered with.
  let firstSequence = 10_000_000;
  return async (port: number, perSecond: number, durationMs: number): Promise<LoadResult> => {
    const target = { port, connections, callUrl, ...oneDestination, firstSequence };
    const load = await generator.call('steady', { ...target, perSecond, durationMs });
    firstSequence += load.accepted + load.refused;
    if (load.refused > 0) throw new Error(`${load.refused} calls were not accepted, such as: ${load.sample}`);
    return load;
  };
}
