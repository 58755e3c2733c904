// What workers gain: calls accepted by one process and with workers, against bare node:http in 1 and 2, on these processors and on more.
import { availableParallelism } from 'node:os';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab, LoadGenerator } from '../support/lab.ts';
import { cpuSeconds, familyOf, threadSeconds } from '../support/proc.ts';
import { pairsToCompile } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
const per = 100_000;
/** Each of two processes has half of the calls. */
const turnsToCompile = 2 * pairsToCompile;
const gainReference = 'gain of bare node:http by a second process';

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
}

/** CPU in seconds for 100,000 accepted calls. */
interface Window {
  readonly perSecond: number;
  /** Of all its processes. */
  readonly cpu: number;
  /** Of its busiest thread. */
  readonly busiest: number;
  readonly generator: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

type Five = [Window[], Window[], Window[], Window[], Window[]];

interface Load {
  readonly connections: number;
  readonly durationMs: number;
}

/** Five contenders take turns with the generator on the processors that there are. */
export async function workers(lab: Lab, connections: number, goal: Goal): Promise<Figure[]> {
  const { contenders, measure } = await startAll(lab, [0, 1, 2]);
  const load = { connections, durationMs: lab.quick ? 1000 : 1500 };
  await inTurns(contenders, turnsToCompile, (contender) => measure(contender, load));
  const turns = await inTurns(contenders, lab.quick ? 4 : 12, (contender) => measure(contender, load));
  const [alone, one, two, bareOne, bareTwo] = turns as Five;
  const at = `at ${connections} connections`;
  const bareGains = gains(bareTwo, bareOne);
  const bareGainsAllowed = gainsAllowed(bareTwo, bareOne);
  const allowed = contenders.map(({ name }, i) =>
    comparedFigure(
      { name: `of what the processors allow, ${name}`, unit: '/s', reference: 'no processor ever idle', how: 'ratio' },
      (turns[i] as Window[]).map((window) => ({ ours: window.perSecond, limit: mostOf(window) })),
    ),
  );
  return [
    ...accepted(at, turns, contenders),
    gain('gain by 1 worker', gains(one, alone), bareGains, goal),
    gain('gain by 2 workers', gains(two, alone), bareGains),
    gain('gain by 1 worker, no processor ever idle', gainsAllowed(one, alone), bareGainsAllowed),
    gain('gain by a worker that costs nothing, likewise', gainsAllowed(alone, alone, sharedBy), bareGainsAllowed),
    ...allowed,
    cost(at, '1 worker', one, alone),
    cost(at, '2 workers', two, alone),
    cost(at, 'bare node:http, 2 processes', bareTwo, bareOne),
    ...plain(turns, contenders),
  ];
}

/** So slow that this machine has enough for the largest of them and the generator. */
const shareOfProcessor = 0.15;

/**
 * Callers elsewhere, and a processor more than there are workers, which is what `auto` makes of a machine: all are slow processors,
 * the generator's are not. Bare node:http has one for each process.
 */
export async function moreProcessors(lab: Lab, goal: Goal): Promise<Figure[]> {
  const { contenders, measure } = await startAll(lab, [0, 1, 2, 3]);
  const load = { connections: 512, durationMs: lab.quick ? 1500 : 3000 };
  await inTurns(contenders, turnsToCompile, (contender) => measure(contender, { ...load, durationMs: 1000 }));
  const slow = lab.slowProcessors(shareOfProcessor);
  for (const { pids } of contenders) slow.hold(pids, Math.max(2, pids.length));
  const turns = await inTurns(contenders, lab.quick ? 3 : 5, (contender) => measure(contender, load));
  const [alone, one, two, three, bareOne, bareTwo] = turns as [...Five, Window[]];
  const at = 'on slow processors';
  const bareGains = gains(bareTwo, bareOne);
  return [
    ...accepted(at, turns, contenders),
    gain('gain by 1 worker, 2 slow processors', gains(one, alone), bareGains),
    gain('gain by 2 workers, 3 slow processors', gains(two, alone), bareGains),
    gain('gain by 3 workers, 4 slow processors', gains(three, alone), bareGains, goal),
    cost(at, '1 worker', one, alone),
    cost(at, '2 workers', two, alone),
    cost(at, '3 workers', three, alone),
    ...plain(turns, contenders),
  ];
}

async function startAll(lab: Lab, counts: readonly number[]) {
  const generator = lab.generator();
  const ours = await Promise.all(counts.map((count) => bigpipe(lab, count)));
  const bare = await Promise.all([1, 2].map((count) => bareHttp(lab, count)));
  const measure = (contender: Contender, load: Load) => measured(lab, generator, contender, load);
  return { contenders: [...ours, ...bare], measure };
}

/** The windows of each contender. Each begins as many turns as any other, so that nobody is always behind the same neighbour. */
async function inTurns(
  contenders: readonly Contender[],
  turns: number,
  measure: (contender: Contender) => Promise<Window>,
): Promise<Window[][]> {
  const windows: Window[][] = contenders.map(() => []);
  for (let turn = 0; turn < turns; turn += 1) {
    for (let i = 0; i < contenders.length; i += 1) {
      const at = (turn + i) % contenders.length;
      windows[at]?.push(await measure(contenders[at] as Contender));
    }
  }
  return windows;
}

/** Of everybody else, against bare node:http in one process, which is the last but one. */
function accepted(at: string, turns: readonly (readonly Window[])[], contenders: readonly Contender[]): Figure[] {
  const reference = contenders.length - 2;
  const { name: against } = contenders[reference] as Contender;
  return contenders.flatMap(({ name }, i) => {
    if (i === reference) return [];
    const of = pairs(turns[i] as Window[], turns[reference] as Window[], 'perSecond');
    return [comparedFigure({ name: `accepted ${at}, ${name}`, unit: '/s', reference: against, how: 'ratio' }, of)];
  });
}

/** What a call costs all processes, against one of the kind. */
const cost = (at: string, name: string, many: readonly Window[], one: readonly Window[]) =>
  comparedFigure(
    { name: `CPU ${at}, ${name}`, unit: 's/100k', reference: 'one of it', how: 'ratio' },
    pairs(many, one, 'cpu'),
  );

function plain(turns: readonly (readonly Window[])[], contenders: readonly Contender[]): Figure[] {
  return contenders.flatMap(({ name }, i) => {
    const middle = (of: keyof Window) => median((turns[i] as Window[]).map((window) => window[of]));
    return [
      { name: `CPU for 100,000 accepted, ${name}`, unit: 's', value: middle('cpu') },
      { name: `CPU of the busiest thread, ${name}`, unit: 's', value: middle('busiest') },
      { name: `CPU of the generator, ${name}`, unit: 's', value: middle('generator') },
      { name: `answer p50, ${name}`, unit: 'ms', value: middle('p50Ms') },
      { name: `answer p99, ${name}`, unit: 'ms', value: middle('p99Ms') },
    ];
  });
}

const pairs = (ours: readonly Window[], limit: readonly Window[], of: keyof Window) =>
  ours.map((window, i) => ({ ours: window[of], limit: (limit[i] as Window)[of] }));

const gains = (many: readonly Window[], one: readonly Window[]) =>
  many.map(({ perSecond }, i) => perSecond / (one[i] as Window).perSecond);

const gainsAllowed = (many: readonly Window[], one: readonly Window[], most = mostOf) =>
  many.map((window, i) => most(window) / mostOf(one[i] as Window));

const gain = (name: string, ours: readonly number[], bare: readonly number[], goal?: Goal) =>
  comparedFigure(
    { name, unit: 'x', reference: gainReference, how: 'ratio', ...(goal === undefined ? {} : { goal }) },
    ours.map((value, i) => ({ ours: value, limit: bare[i] as number })),
  );

/** Calls a second when no processor is ever idle: the generator and whoever answers share them. */
const sharedBy = ({ cpu, generator }: Window) => (availableParallelism() * per) / (cpu + generator);

/** And no thread does more than a processor can. */
const mostOf = (window: Window) => Math.min(sharedBy(window), per / window.busiest);

async function bigpipe(lab: Lab, count: number): Promise<Contender> {
  const settings = { 'http.server.workers': count };
  const app = await lab.app({ directory: await lab.directory(), concurrency: null, settings });
  await app.checkDurable(nobody);
  const name = count === 0 ? 'one process' : count === 1 ? '1 worker: two processes take calls' : `${count} workers`;
  return { name, port: app.port, pids: familyOf(app.pid) };
}

async function bareHttp(lab: Lab, count: number): Promise<Contender> {
  const { pids, port } = await lab.bareHttps(count);
  return { name: `bare node:http, ${count} ${count === 1 ? 'process' : 'processes'}`, port, pids };
}

async function measured(lab: Lab, generator: LoadGenerator, { port, pids }: Contender, load: Load): Promise<Window> {
  const busyThreads = () => new Map(pids.flatMap((pid) => [...threadSeconds(pid)]));
  const before = { threads: busyThreads(), generator: cpuSeconds(generator.pid) };
  const { accepted, startedMs, endedMs, latency } = await lab.makeCalls(generator, { port, callUrl: nobody, ...load });
  const threads = [...busyThreads()].map(([id, seconds]) => seconds - (before.threads.get(id) ?? 0));
  const each = (seconds: number) => (seconds * per) / accepted;
  return {
    perSecond: (accepted * 1000) / (endedMs - startedMs),
    cpu: each(threads.reduce((sum, seconds) => sum + seconds, 0)),
    busiest: each(Math.max(...threads)),
    generator: each(cpuSeconds(generator.pid) - before.generator),
    p50Ms: latency.p50Ms,
    p99Ms: latency.p99Ms,
  };
}
