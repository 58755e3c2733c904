// The whole way in one process: accepted durably and delivered at once, in calls a second and CPU seconds.
import { strict as assert } from 'node:assert';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds, residentBytes } from '../support/proc.ts';
import { inTurns, pairsToCompile, sleep } from '../support/windows.ts';

const inFlight = 64;
/** The last commits come this long after the last delivery. */
const settleMs = 100;
const per = 100_000;

export async function acceptAndDeliver(
  lab: Lab,
  goals: { rate: Goal; cpu: Goal },
  count = lab.quick ? 10_000 : 30_000,
): Promise<Figure[]> {
  const { receiver, origin } = await lab.receiver(0);
  const app = await lab.app({ directory: await lab.directory(), concurrency: inFlight });
  const { server, port } = await lab.bareHttp(null);
  const sender = lab.sender();
  const generator = lab.generator();
  const callUrl = `${origin}/hook`;
  const calls = (to: number) => lab.makeCalls(generator, { port: to, connections: inFlight, callUrl, count });

  const ours = async () => {
    await receiver.call('reset', null);
    const cpuBefore = cpuSeconds(app.pid);
    const load = await calls(app.port);
    const { distinct, repeated, lastMs } = await receiver.call('await', { distinct: count, timeoutMs: 60_000 });
    assert.deepEqual({ distinct, repeated }, { distinct: count, repeated: 0 });
    await sleep(settleMs);
    return {
      perSecond: (count * 1000) / (lastMs - load.startedMs),
      acceptedPerSecond: (count * 1000) / (load.endedMs - load.startedMs),
      cpu: ((cpuSeconds(app.pid) - cpuBefore) * per) / count,
    };
  };
  const limit = async () => {
    const before = cpuSeconds(server.pid) + cpuSeconds(sender.pid);
    const accepting = await calls(port);
    const sending = await sender.call('send', { origin, concurrency: inFlight, count, durationMs: 60_000 });
    assert.equal(sending.sent, count);
    const seconds = (accepting.endedMs - accepting.startedMs + sending.elapsedMs) / 1000;
    const cpu = ((cpuSeconds(server.pid) + cpuSeconds(sender.pid) - before) * per) / count;
    return { perSecond: count / seconds, cpu };
  };
  const pairs = await inTurns(lab.quick ? 3 : 5, ours, limit, pairsToCompile);
  const reference = 'bare node:http, then bare undici';
  const rate = pairs.map((pair) => pair.ours.perSecond);
  return [
    { name: 'accepted and delivered at once', unit: '/s', value: median(rate), goal: goals.rate },
    comparedFigure(
      { name: 'accepted and delivered, one after another', unit: '/s', reference, how: 'ratio' },
      pairs.map((pair) => ({ ours: pair.ours.perSecond, limit: pair.limit.perSecond })),
    ),
    { name: 'accepted while delivering', unit: '/s', value: median(pairs.map((pair) => pair.ours.acceptedPerSecond)) },
    comparedFigure(
      { name: 'CPU, accepted and delivered', unit: 's/100k', reference, how: 'ratio', goal: goals.cpu },
      pairs.map((pair) => ({ ours: pair.ours.cpu, limit: pair.limit.cpu })),
    ),
    { name: 'RSS while accepting and delivering', unit: 'MB', value: residentBytes(app.pid) / 2 ** 20 },
  ];
}
