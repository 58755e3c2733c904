// What a caller's rate costs each call that it lets through: calls a second with it and without it.
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const callUrl = 'http://127.0.0.1:9/hook';
const connections = 64;
const per = 100_000;
const reference = 'without a rate';
const wide = { rateLimit: 1_000_000, burst: 1_000_000 };

export async function throttling(lab: Lab, goals: { rate: Goal; cpu: Goal }): Promise<Figure[]> {
  const count = lab.quick ? 10_000 : 30_000;
  const generator = lab.generator();
  const app = async (caller: object) => lab.app({ directory: await lab.directory(), concurrency: null, caller });
  const [limited, free] = [await app(wide), await app({})];
  const measured = async (of: typeof free) => {
    const before = cpuSeconds(of.pid);
    const { startedMs, endedMs } = await lab.makeCalls(generator, { port: of.port, connections, callUrl, count });
    return { perSecond: (count * 1000) / (endedMs - startedMs), cpu: ((cpuSeconds(of.pid) - before) * per) / count };
  };
  const pairs = await inTurns(
    lab.quick ? 3 : 10,
    () => measured(limited),
    () => measured(free),
  );
  const between = (what: 'perSecond' | 'cpu') =>
    pairs.map(({ ours, limit }) => ({ ours: ours[what], limit: limit[what] }));
  return [
    comparedFigure(
      { name: 'accepted of a caller with a rate', unit: '/s', reference, how: 'ratio', goal: goals.rate },
      between('perSecond'),
    ),
    comparedFigure(
      { name: 'CPU, accepted of a caller with a rate', unit: 's/100k', reference, how: 'ratio', goal: goals.cpu },
      between('cpu'),
    ),
  ];
}
