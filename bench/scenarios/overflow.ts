// What it costs to go through the overflow and back, and what the healthy keep beside a dead destination with nine tenths of a backlog.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { addressOf } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab, ScriptedReceiver } from '../support/lab.ts';
import { residentBytes, writtenBytes } from '../support/proc.ts';
import type { Noted } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const mib = 2 ** 20;
const pollMs = 20;
const sampleMs = 500;
const windowMs = 3000;
const longestMs = 240_000;
const wellBehaved = { delayMs: 0, silentFrom: null, failing: 0 };
const silent = { ...wellBehaved, silentFrom: 0 };
const retries = { retries: 1000, retryBackoff: [200], timeout: 1000 };

export interface OverflowGoals {
  /** Of the throughput without the dead destination. */
  readonly beside: Goal;
  /** Of the memory at the start. */
  readonly flat: Goal;
}

export async function overflow(lab: Lab, goals: OverflowGoals): Promise<Figure[]> {
  return [...(await cost(lab)), ...(await besideDead(lab, goals))];
}

interface Passage {
  readonly perSecond: number;
  readonly bytes: number;
}

interface ThereAndBack extends Passage {
  readonly outPerSecond: number;
  readonly backPerSecond: number;
}

/** A backlog delivered straight, and one that leaves its windows first because the receiver comes up only later. */
async function cost(lab: Lab): Promise<Figure[]> {
  const messages = lab.quick ? 20_000 : 60_000;
  const pairs: { straight: Passage; around: ThereAndBack }[] = [];
  for (let pair = 0; pair < (lab.quick ? 2 : 3); pair += 1) {
    const straight = await deliverStraight(lab, messages);
    pairs.push({ straight, around: await deliverAround(lab, messages) });
  }
  const compare = (
    name: string,
    unit: string,
    reference: string,
    of: (pair: (typeof pairs)[number]) => [number, number],
  ) =>
    comparedFigure(
      { name, unit, reference, how: 'ratio' },
      pairs.map((pair) => {
        const [ours, limit] = of(pair);
        return { ours, limit };
      }),
    );
  const straight = 'straight delivery';
  return [
    compare('into the overflow', '/s', straight, (p) => [p.around.outPerSecond, p.straight.perSecond]),
    compare('back from the overflow, delivered', '/s', straight, (p) => [p.around.backPerSecond, p.straight.perSecond]),
    compare('through the overflow and back', '/s', straight, (p) => [p.around.perSecond, p.straight.perSecond]),
    compare('bytes written a message, 1 KiB of data', 'B', straight, (p) => [p.around.bytes, p.straight.bytes]),
  ];
}

const concurrency = 100;

async function deliverStraight(lab: Lab, messages: number): Promise<Passage> {
  const { receiver, origin } = await lab.scriptedReceiver(wellBehaved);
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, messages);
  const app = await lab.app({ directory, concurrency, consumer: retries });
  const before = writtenBytes(app.pid);
  const { atMs } = await allArrived(receiver, messages);
  await untilSettled(app);
  const bytes = (writtenBytes(app.pid) - before) / messages;
  lab.say(`straight ${perSecondOf(atMs).toFixed(0)}/s, ${bytes.toFixed(0)} B a message`);
  await app.stop();
  await receiver.stop();
  return { perSecond: perSecondOf(atMs), bytes };
}

async function deliverAround(lab: Lab, messages: number): Promise<ThereAndBack> {
  const { receiver, origin } = await lab.scriptedReceiver(silent);
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, messages);
  const app = await lab.app({ directory, concurrency, consumer: retries });
  const before = writtenBytes(app.pid);
  // From when on they leave: until then nobody knows that it will not answer.
  const first = await untilBacklog(app, (backlog) => (backlog['overflow'] ?? 0) > 0);
  const startMs = performance.now();
  const all = await untilBacklog(app, ({ unread }) => unread === 0);
  const outMs = performance.now() - startMs;
  const outPerSecond = (((first['unread'] ?? 0) - (all['unread'] ?? 0)) * 1000) / outMs;
  await receiver.call('behave', wellBehaved);
  const tried = (await receiver.call('noted', null)).atMs.length;
  const { atMs } = await allArrived(receiver, messages + tried);
  const backPerSecond = perSecondOf(atMs.slice(tried));
  await untilSettled(app);
  const bytes = (writtenBytes(app.pid) - before) / messages;
  lab.say(
    `${all['overflow']} of ${messages} stood in the overflow; out ${outPerSecond.toFixed(0)}/s, back ${backPerSecond.toFixed(0)}/s, ${bytes.toFixed(0)} B a message`,
  );
  await app.stop();
  await receiver.stop();
  return { perSecond: 1 / (1 / outPerSecond + 1 / backPerSecond), outPerSecond, backPerSecond, bytes };
}

/** Of so many addresses the first ones are well; the others are one destination, and silent. */
const addresses = 20;
const healthy = 2;
const besideSettings = [
  { name: 'a rate limit of 500/s', rateLimit: 500, healthyCalls: 15_000, hasGoal: true },
  { name: 'no rate limit', rateLimit: 1_000_000, healthyCalls: 15_000, hasGoal: false },
] as const;

async function besideDead(lab: Lab, goals: OverflowGoals): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, rateLimit, healthyCalls, hasGoal } of besideSettings) {
    const calls = lab.quick ? healthyCalls / 3 : healthyCalls;
    const alone = await deliverHealthy(lab, calls, healthy, rateLimit);
    const beside = await deliverHealthy(lab, calls, addresses, rateLimit);
    const all = ((calls * addresses) / healthy).toLocaleString('en');
    lab.say(`${name}: alone ${alone.windows.join(' ')}; beside ${beside.windows.join(' ')} in ${windowMs} ms each`);
    figures.push({
      name: `healthy calls beside a dead destination with 90 % of ${all}, ${name}`,
      unit: '/s',
      value: beside.perSecond,
      reference: { name: 'without it', value: alone.perSecond },
      compared: { how: 'ratio', value: beside.perSecond / alone.perSecond, of: [beside.perSecond / alone.perSecond] },
      ...(hasGoal ? { goal: goals.beside } : {}),
    });
    figures.push({
      name: `RSS at the end of that, ${name}`,
      unit: 'MB',
      value: beside.lastResident,
      reference: { name: 'at the start', value: beside.firstResident },
      compared: {
        how: 'ratio',
        value: beside.lastResident / beside.firstResident,
        of: [beside.lastResident / beside.firstResident],
      },
      ...(hasGoal ? { goal: goals.flat } : {}),
    });
  }
  return figures;
}

async function deliverHealthy(lab: Lab, calls: number, of: number, rateLimit: number) {
  const { receiver, origin } = await lab.scriptedReceiver({ delayMs: 5, silentFrom: healthy, failing: 0 });
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, (calls * of) / healthy, { destinations: of });
  const { port } = new URL(origin);
  const origins = Array.from({ length: addresses - healthy }, (_, i) => `http://${addressOf(healthy + i)}:${port}`);
  const consumer = { ...retries, rateLimit, destinations: [{ name: 'dead', origins }] };
  const app = await lab.app({ directory, concurrency, consumer });
  const resident: number[] = [];
  const sampling = setInterval(() => resident.push(residentBytes(app.pid) / mib), sampleMs);
  const { atMs, destination } = await allArrived(receiver, calls, (one) => one.destination.filter(isHealthy).length);
  clearInterval(sampling);
  app.kill();
  await receiver.stop();
  const times = atMs.filter((_, i) => isHealthy(destination[i] as number)).toSorted((a, b) => a - b);
  const windows: number[] = [];
  for (const ms of times) {
    const window = Math.floor((ms - (times[0] as number)) / windowMs);
    while (windows.length <= window) windows.push(0);
    windows[window] = (windows[window] as number) + 1;
  }
  const quarter = Math.max(1, Math.floor(resident.length / 4));
  return {
    perSecond: perSecondOf(times),
    windows,
    firstResident: median(resident.slice(0, quarter)),
    lastResident: median(resident.slice(-quarter)),
  };
}

const isHealthy = (destination: number) => destination < healthy;

const perSecondOf = (atMs: readonly number[]) =>
  ((atMs.length - 1) * 1000) / ((atMs.at(-1) as number) - (atMs[0] as number));

async function allArrived(
  receiver: ScriptedReceiver,
  messages: number,
  count: (noted: Noted) => number = ({ atMs }) => atMs.length,
): Promise<Noted> {
  const endMs = performance.now() + longestMs;
  for (;;) {
    const noted = await receiver.call('noted', null);
    if (count(noted) >= messages) return noted;
    assert(performance.now() < endMs, `only ${count(noted)} of ${messages} have arrived`);
    await sleep(10 * pollMs);
  }
}

type Backlog = Readonly<Record<string, number>>;

const untilSettled = (app: BigpipeApp) =>
  untilBacklog(app, (backlog) => Object.values(backlog).every((count) => count === 0));

async function untilBacklog(app: BigpipeApp, holds: (backlog: Backlog) => boolean): Promise<Backlog> {
  const endMs = performance.now() + longestMs;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${app.port}/stats`);
    const page = (await response.json()) as { data?: { subscriptionStats: { backlog: Backlog }[] } };
    const backlog = page.data?.subscriptionStats[0]?.backlog;
    if (response.ok && backlog !== undefined && holds(backlog)) return backlog;
    assert(performance.now() < endMs, `the backlog was last ${JSON.stringify(backlog)}`);
    await sleep(pollMs);
  }
}
