// What workers gain: calls accepted by one process, with 1 worker (two processes take calls), with 2, against bare node:http in 1 and 2.
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds, familyOf } from '../support/proc.ts';
import { pairsToCompile } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
const per = 100_000;
/** Each of two processes has half of the calls. */
const turnsToCompile = 2 * pairsToCompile;

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pids: readonly number[];
}

interface Window {
  readonly perSecond: number;
  /** Seconds of all its processes for 100,000 accepted calls. */
  readonly cpu: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export async function workers(lab: Lab, connections: number, goal: Goal): Promise<Figure[]> {
  const generator = lab.generator();
  const ours = await Promise.all([0, 1, 2].map((count) => bigpipe(lab, count)));
  const bare = await Promise.all([1, 2].map((count) => bareHttp(lab, count)));
  const contenders = [...ours, ...bare];
  const turns: Window[][] = [];
  const durationMs = lab.quick ? 1000 : 1500;
  for (let turn = 0; turn < turnsToCompile + (lab.quick ? 4 : 12); turn += 1) {
    const windows: Window[] = [];
    // Each begins as many turns as any other, so that nobody is always behind the same neighbour.
    for (let i = 0; i < contenders.length; i += 1) {
      const at = (turn + i) % contenders.length;
      windows[at] = await measure(lab, generator, contenders[at] as Contender, { connections, durationMs });
    }
    // The first turns pay for compilation.
    if (turn >= turnsToCompile) turns.push(windows);
  }
  const column = (index: number) => turns.map((windows) => windows[index] as Window);
  const [alone, one, two, bareOne, bareTwo] = contenders.map((_, index) => column(index)) as Window[][];
  const at = `at ${connections} connections`;
  const pairs = (a: Window[] = [], b: Window[] = [], of: keyof Window = 'perSecond') =>
    a.map((window, i) => ({ ours: window[of], limit: (b[i] as Window)[of] }));
  const accepted = (name: string, who: Window[] = []) =>
    comparedFigure(
      { name: `accepted ${at}, ${name}`, unit: '/s', reference: 'bare node:http, 1 process', how: 'ratio' },
      pairs(who, bareOne),
    );
  const gainOf = (many: Window[] = []) =>
    turns.map((_, i) => ({
      ours: rateOf(many, i) / rateOf(alone, i),
      limit: rateOf(bareTwo, i) / rateOf(bareOne, i),
    }));
  const costOf = (name: string, many: Window[] = [], one: Window[] = []) =>
    comparedFigure(
      { name: `CPU ${at}, ${name}`, unit: 's/100k', reference: 'one of it', how: 'ratio' },
      pairs(many, one, 'cpu'),
    );
  const reference = 'gain of bare node:http by a second process';
  return [
    accepted('one process', alone),
    accepted('1 worker: two processes take calls', one),
    accepted('2 workers', two),
    accepted('bare node:http, 2 processes', bareTwo),
    comparedFigure({ name: 'gain by 1 worker', unit: 'x', reference, how: 'ratio', goal }, gainOf(one)),
    comparedFigure({ name: 'gain by 2 workers', unit: 'x', reference, how: 'ratio' }, gainOf(two)),
    costOf('1 worker', one, alone),
    costOf('2 workers', two, alone),
    costOf('bare node:http, 2 processes', bareTwo, bareOne),
    ...contenders.flatMap(({ name }, index) => {
      const middle = (of: keyof Window) => median(column(index).map((window) => window[of]));
      return [
        { name: `CPU for 100,000 accepted, ${name}`, unit: 's', value: middle('cpu') },
        { name: `answer p50, ${name}`, unit: 'ms', value: middle('p50Ms') },
        { name: `answer p99, ${name}`, unit: 'ms', value: middle('p99Ms') },
      ];
    }),
  ];
}

const rateOf = (windows: readonly Window[] = [], i: number) => (windows[i] as Window).perSecond;

async function bigpipe(lab: Lab, count: number): Promise<Contender> {
  const settings = { 'http.server.workers': count };
  const app = await lab.app({ directory: await lab.directory(), concurrency: null, settings });
  await app.checkDurable(nobody);
  const name = count === 0 ? 'one process' : `${count} ${count === 1 ? 'worker' : 'workers'}`;
  return { name, port: app.port, pids: familyOf(app.pid) };
}

async function bareHttp(lab: Lab, count: number): Promise<Contender> {
  const { pids, port } = await lab.bareHttps(count);
  return { name: `bare node:http, ${count} ${count === 1 ? 'process' : 'processes'}`, port, pids };
}

async function measure(
  lab: Lab,
  generator: ReturnType<Lab['generator']>,
  { port, pids }: Contender,
  load: { connections: number; durationMs: number },
): Promise<Window> {
  const busy = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const before = busy();
  const { accepted, startedMs, endedMs, latency } = await lab.makeCalls(generator, { port, callUrl: nobody, ...load });
  const perSecond = (accepted * 1000) / (endedMs - startedMs);
  return { perSecond, cpu: ((busy() - before) * per) / accepted, p50Ms: latency.p50Ms, p99Ms: latency.p99Ms };
}
