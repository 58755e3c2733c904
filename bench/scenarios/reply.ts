// A whole round trip at a steady rate, to the receiver and back to the caller over Redis, against a plain delivery of the same calls.
import { strict as assert } from 'node:assert';
import { oneDestination } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { inTurns } from '../support/windows.ts';

const connections = 64;
const perSecond = 500;

/** Without REDIS_URL in the environment the replies go by the process's own memory. */
export async function reply(lab: Lab, goal: Goal): Promise<Figure[]> {
  const durationMs = lab.quick ? 1500 : 2500;
  const { receiver, origin } = await lab.receiver(0);
  const redisUrl = process.env['REDIS_URL'];
  const settings = redisUrl === undefined ? {} : { 'redis.url': redisUrl };
  const app = await lab.app({ directory: await lab.directory(), concurrency: 100, settings });
  const generator = lab.generator();
  let firstSequence = 1;
  const steady = async (door: 'rpc' | 'rpc-wait') => {
    await receiver.call('reset', null);
    const target = { port: app.port, connections, callUrl: `${origin}/hook`, ...oneDestination, firstSequence, door };
    const load = await generator.call('steady', { ...target, perSecond, durationMs });
    firstSequence += load.accepted + load.refused;
    if (load.refused > 0) throw new Error(`${load.refused} calls were not answered, such as: ${load.sample}`);
    const arrivals = await receiver.call('await', { distinct: load.accepted, timeoutMs: 30_000 });
    assert.equal(arrivals.distinct, load.accepted);
    return { answer: load.latency, arrival: arrivals.latency };
  };
  const pairs = await inTurns(
    lab.quick ? 3 : 7,
    () => steady('rpc-wait'),
    () => steady('rpc'),
  );
  const over = redisUrl === undefined ? 'in memory' : 'over Redis';
  const reference = 'arrival of a plain call';
  const how = 'above';
  return [
    comparedFigure(
      { name: `round trip p50 at ${perSecond}/s, ${over}`, unit: 'ms', reference, how },
      pairs.map(({ ours, limit }) => ({ ours: ours.answer.p50Ms, limit: limit.arrival.p50Ms })),
    ),
    comparedFigure(
      { name: `round trip p99 at ${perSecond}/s, ${over}`, unit: 'ms', reference, how, goal },
      pairs.map(({ ours, limit }) => ({ ours: ours.answer.p99Ms, limit: limit.arrival.p99Ms })),
    ),
  ];
}
