// From the caller's send to the receiver's arrival at a steady rate, against a bare POST with one fdatasync.
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { oneDestination } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { inTurns } from '../support/windows.ts';

const connections = 64;
const perSecond = 500;

export async function endToEnd(lab: Lab, goal: Goal): Promise<Figure[]> {
  const durationMs = lab.quick ? 1500 : 2500;
  const { receiver, origin } = await lab.receiver(0);
  const directory = await lab.directory();
  const app = await lab.app({ directory, concurrency: 100 });
  const bare = await lab.bareHttp(join(directory, 'bare-post'));
  const generator = lab.generator();
  const callUrl = `${origin}/hook`;
  let firstSequence = 1;
  const steady = async (port: number) => {
    const target = { port, connections, callUrl, ...oneDestination, firstSequence };
    const load = await generator.call('steady', { ...target, perSecond, durationMs });
    firstSequence += load.accepted + load.refused;
    if (load.refused > 0) throw new Error(`${load.refused} calls were not accepted, such as: ${load.sample}`);
    return load;
  };
  const ours = async () => {
    await receiver.call('reset', null);
    const { accepted, latency: answer } = await steady(app.port);
    const arrivals = await receiver.call('await', { distinct: accepted, timeoutMs: 30_000 });
    assert.equal(arrivals.distinct, accepted);
    return { answer, arrival: arrivals.latency };
  };
  const pairs = await inTurns(lab.quick ? 3 : 7, ours, () => steady(bare.port));
  const reference = 'bare POST and one fdatasync';
  const at = `at ${perSecond}/s`;
  const how = 'above';
  return [
    comparedFigure(
      { name: `end to end p50 ${at}`, unit: 'ms', reference, how },
      pairs.map((pair) => ({ ours: pair.ours.arrival.p50Ms, limit: pair.limit.latency.p50Ms })),
    ),
    comparedFigure(
      { name: `end to end p99 ${at}`, unit: 'ms', reference, how, goal },
      pairs.map((pair) => ({ ours: pair.ours.arrival.p99Ms, limit: pair.limit.latency.p99Ms })),
    ),
    comparedFigure(
      { name: `answer p99 ${at}`, unit: 'ms', reference, how },
      pairs.map((pair) => ({ ours: pair.ours.answer.p99Ms, limit: pair.limit.latency.p99Ms })),
    ),
  ];
}
