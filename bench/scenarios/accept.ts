// How many calls a second are stored durably and answered, against a bare node:http server with the same body.
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import type { LoadResult } from '../support/protocol.ts';
import { inTurns } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';

export async function accept(lab: Lab, connections: number, goal?: Goal): Promise<Figure[]> {
  const app = await lab.app({ directory: await lab.directory(), concurrency: null });
  await app.checkDurable(nobody);
  const bare = await lab.bareHttp(null);
  const generator = lab.generator();
  const durationMs = lab.quick ? 600 : 800;
  const window = (port: number) => lab.makeCalls(generator, { port, connections, callUrl: nobody, durationMs });
  const pairs = await inTurns(
    lab.quick ? 3 : 8,
    () => window(app.port),
    () => window(bare.port),
  );
  const between = (of: (result: LoadResult) => number) =>
    pairs.map(({ ours, limit }) => ({ ours: of(ours), limit: of(limit) }));
  const at = `at ${connections} connections`;
  const reference = 'bare node:http';
  const rate = { name: `accepted ${at}`, unit: '/s', reference, how: 'ratio' } as const;
  return [
    comparedFigure(goal === undefined ? rate : { ...rate, goal }, between(perSecond)),
    comparedFigure(
      { name: `answer p50 ${at}`, unit: 'ms', reference, how: 'above' },
      between((r) => r.latency.p50Ms),
    ),
    comparedFigure(
      { name: `answer p99 ${at}`, unit: 'ms', reference, how: 'above' },
      between((r) => r.latency.p99Ms),
    ),
    { name: `answer max ${at}`, unit: 'ms', value: median(pairs.map(({ ours }) => ours.latency.maxMs)) },
  ];
}

function perSecond({ accepted, startedMs, endedMs }: LoadResult): number {
  return (accepted * 1000) / (endedMs - startedMs);
}
