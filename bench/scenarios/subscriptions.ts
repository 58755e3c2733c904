// What subscriptions of a topic cost that do not want its messages: publishing and delivering beside 100, 400, 2,000 of them.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { callTopic, callType } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds, residentBytes } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const connections = 64;
const inFlight = 64;
const per = 100_000;
const reference = 'one subscription';
/** SUBSCRIPTIONS=100,400 measures these alone. */
const sizes = (process.env.SUBSCRIPTIONS ?? '100,400,2000').split(',').map(Number);

export async function subscriptions(lab: Lab, goals: { published: Goal; delivered: Goal }): Promise<Figure[]> {
  const count = lab.quick ? 5000 : 20_000;
  const { receiver, origin } = await lab.receiver(0);
  const generator = lab.generator();
  const start = async (others: number) => {
    const settings = { 'commit.default.acks': -1, 'kafka.consumer.list': listOf(others, `${origin}/hook`) };
    const directory = await lab.directory();
    const startedMs = performance.now();
    const app = await lab.app({ directory, concurrency: null, settings, startWithinMs: 600_000 });
    return { app, seconds: (performance.now() - startedMs) / 1000 };
  };
  const measured = async (app: BigpipeApp) => {
    await receiver.call('reset', null);
    const before = cpuSeconds(app.pid);
    const target = { port: app.port, connections, callUrl: origin, door: 'typed' as const };
    const load = await lab.makeCalls(generator, { ...target, count });
    const { distinct, repeated, lastMs } = await receiver.call('await', { distinct: count, timeoutMs: 120_000 });
    assert.deepEqual({ distinct, repeated }, { distinct: count, repeated: 0 });
    return {
      published: (count * 1000) / (load.endedMs - load.startedMs),
      delivered: (count * 1000) / (lastMs - load.startedMs),
      cpu: ((cpuSeconds(app.pid) - before) * per) / count,
    };
  };
  const { app: alone, seconds: aloneSeconds } = await start(0);
  const figures: Figure[] = [{ name: 'start with 1 subscription', unit: 's', value: aloneSeconds }];
  for (const all of sizes) {
    alone.freeze();
    const { app, seconds } = await start(all - 1);
    const resident = residentBytes(app.pid) / 2 ** 20;
    const inTurn = async (of: BigpipeApp, other: BigpipeApp) => {
      other.freeze();
      of.thaw();
      return measured(of);
    };
    const pairs = await inTurns(
      lab.quick ? 3 : 6,
      () => inTurn(app, alone),
      () => inTurn(alone, app),
    );
    const compare = (name: string, of: keyof Awaited<ReturnType<typeof measured>>, unit: string, goal?: Goal) =>
      comparedFigure(
        {
          name: `${name}, ${all} subscriptions`,
          unit,
          reference,
          how: 'ratio',
          ...(goal === undefined ? {} : { goal }),
        },
        pairs.map(({ ours, limit }) => ({ ours: ours[of], limit: limit[of] })),
      );
    figures.push(
      { name: `start with ${all} subscriptions`, unit: 's', value: seconds },
      { name: `RSS after it`, unit: 'MB', value: resident },
      compare('published', 'published', '/s', goals.published),
      compare('delivered', 'delivered', '/s', goals.delivered),
      compare('CPU', 'cpu', 's/100k'),
    );
    app.thaw();
    await app.stop();
  }
  return figures;
}

/** One that wants what is published, in the midst of others that want something else, each of its own. */
function listOf(others: number, url: string): object[] {
  const limits = { rateLimit: 1_000_000, timeout: 60_000, retries: 2, concurrency: inFlight };
  const one = (groupId: string, type: string) => ({
    topic: callTopic,
    groupId,
    url,
    bindings: [{ kind: 'direct', type }],
    ...limits,
  });
  const list = Array.from({ length: others }, (_, i) => one(`other-${i}`, `unwanted-${i}`));
  list.splice(Math.floor(others / 2), 0, one('wanting', callType));
  return list;
}
