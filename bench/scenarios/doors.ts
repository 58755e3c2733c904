// How many calls a second the newer doors take, against the original's: the same message, stored as durably.
import { callTopic, type Door } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import type { LoadResult } from '../support/protocol.ts';
import { inTurns } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
const connections = 64;
const newer = ['commit', 'messages'] as const;
const nameOf = { rpc: 'POST /rpc/call', commit: 'POST /commit', messages: 'POST /v1/messages' } as const;

export async function doors(lab: Lab, goal: Goal): Promise<Figure[]> {
  const settings = { 'commit.default.acks': -1 };
  const app = await lab.app({ directory: await lab.directory(), concurrency: null, settings });
  await app.checkDurable(nobody);
  const generator = lab.generator();
  const durationMs = lab.quick ? 600 : 1000;
  const window = (door: Door) =>
    lab.makeCalls(generator, { port: app.port, connections, callUrl: nobody, durationMs, door });
  // The first calls of each are slower: code that has not run yet.
  for (const door of ['rpc', ...newer] as const) await window(door);
  const figures: Figure[] = [];
  for (const door of newer) {
    const pairs = await inTurns(
      lab.quick ? 4 : 10,
      () => window(door),
      () => window('rpc'),
    );
    const between = (of: (result: LoadResult) => number) =>
      pairs.map(({ ours, limit }) => ({ ours: of(ours), limit: of(limit) }));
    const what = {
      name: `${nameOf[door]} to ${callTopic}`,
      unit: '/s',
      reference: nameOf.rpc,
      how: 'ratio',
      goal,
    } as const;
    figures.push(comparedFigure(what, between(perSecond)));
  }
  return figures;
}

function perSecond({ accepted, startedMs, endedMs }: LoadResult): number {
  return (accepted * 1000) / (endedMs - startedMs);
}
