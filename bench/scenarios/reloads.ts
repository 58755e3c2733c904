// What reloads of the configuration cost those who are being delivered to: gaps between deliveries with and without, and the event loop.
import { strict as assert } from 'node:assert';
import { Agent, get } from 'node:http';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { Latencies, nowUs } from '../support/latency.ts';
import { cpuSeconds } from '../support/proc.ts';
import type { Gaps } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const perSecond = 3000;
const connections = 64;
/** Reloads of one turn, and about how long they take: the file must have stood still before it is read. */
const perTurn = 20;
const turnMs = 7000;
const settleMs = 500;

type Keys = Record<string, unknown> & { 'kafka.consumer.list': Record<string, unknown>[] };

export async function reloads(lab: Lab, goal: Goal): Promise<Figure[]> {
  return [...(await underLoad(lab, goal)), ...(await eventLoop(lab))];
}

/** The text that is written, and whether it must be refused. */
function fileOf(config: string, turn: number): { text: string; isBad: boolean } {
  const keys = JSON.parse(config) as Keys;
  const limits = {
    rateLimit: 900_000 + turn,
    concurrency: 200 + (turn % 7),
    timeout: 50_000 + turn,
    retries: turn % 5,
  };
  const consumers = (changes: object) => keys['kafka.consumer.list'].map((one) => ({ ...one, ...changes }));
  const whole = (changes: object) => JSON.stringify({ ...keys, ...changes });
  switch (turn % 5) {
    case 0:
      return { text: whole({ 'kafka.consumer.list': consumers({ rateLimit: 0, retries: -1 }) }), isBad: true };
    case 1:
      return { text: config.slice(0, 1 + ((turn * 7) % (config.length - 2))), isBad: true };
    case 2: {
      const circuitBreaker = { breakPeriod: 5, recoverPeriod: 5, winSize: 10, minStats: 100, healthRate: 0.5 };
      const mixed = { 'log.level': 3 + (turn % 2), 'http.server.max.body.size': 1_000_000 + turn };
      return {
        text: whole({ ...mixed, 'kafka.consumer.list': consumers({ ...limits, circuitBreaker }) }),
        isBad: false,
      };
    }
    default:
      return { text: whole({ 'kafka.consumer.list': consumers(limits) }), isBad: false };
  }
}

async function underLoad(lab: Lab, goal: Goal): Promise<Figure[]> {
  const turns = lab.quick ? 2 : 10;
  const { receiver, origin } = await lab.receiver(0);
  const app = await lab.app({ directory: await lab.directory(), concurrency: 200 });
  const generator = lab.generator();
  const load = generator.call('steady', {
    port: app.port,
    connections,
    callUrl: `${origin}/hook`,
    firstSequence: 1,
    perSecond,
    durationMs: (2 * turns + 1) * turnMs,
    users: 10_000,
    destinations: 1,
  });
  await sleep(turnMs);
  const pairs: { ours: Gaps; limit: Gaps }[] = [];
  let [made, bad] = [0, 0];
  for (let turn = 0; turn < turns; turn += 1) {
    await receiver.call('gaps', null);
    const startMs = performance.now();
    for (let i = 0; i < perTurn; i += 1) {
      const { text, isBad } = fileOf(app.config, made);
      await app.reload(text);
      made += 1;
      if (isBad) bad += 1;
    }
    await sleep(settleMs);
    const ours = await receiver.call('gaps', null);
    await sleep(turnMs * 2 - settleMs - (performance.now() - startMs));
    const limit = await receiver.call('gaps', null);
    pairs.push({ ours, limit });
    lab.say(`${shown('reloads', ours)}; ${shown('none', limit)}`);
  }
  const { accepted, refused } = await load;
  const { distinct, repeated } = await receiver.call('await', { distinct: accepted, timeoutMs: 60_000 });
  const { configStats, consumerStats } = await app.stats();
  lab.say(`${made} reloads, ${JSON.stringify(configStats)}; ${accepted} accepted, ${refused} refused`);
  assert.deepEqual({ distinct, repeated, refused }, { distinct: accepted, repeated: 0, refused: 0 });
  // A new membership would count anew, and read again what had not been settled.
  assert.deepEqual(
    consumerStats.map(({ handleMessage }) => handleMessage),
    [accepted],
  );
  assert.equal(configStats.refused, bad);
  assert.ok(keyPathsOf(app).includes('kafka.consumer.list[0].rateLimit'));
  const compare = (what: keyof Gaps, name: string, aim?: Goal) =>
    comparedFigure(
      {
        name: `gap between deliveries, ${name}`,
        unit: 'ms',
        reference: 'no reloads',
        how: 'above',
        ...(aim && { goal: aim }),
      },
      pairs.map(({ ours, limit }) => ({ ours: ours[what], limit: limit[what] })),
    );
  return [
    { name: `reloads during ${accepted} calls at ${perSecond}/s: lost`, unit: '', value: accepted - distinct },
    compare('p50Ms', 'median'),
    compare('p99Ms', 'p99'),
    compare('p999Ms', 'p99.9'),
    compare('maxMs', 'longest of a turn', goal),
    {
      name: 'gaps above 50 ms',
      unit: '',
      value: sum(pairs.map(({ ours }) => ours.pauses)),
      reference: { name: 'no reloads', value: sum(pairs.map(({ limit }) => limit.pauses)) },
    },
  ];
}

const shown = (name: string, { p50Ms, p99Ms, p999Ms, maxMs, pauses }: Gaps) =>
  `${name}: p50 ${p50Ms} p99 ${p99Ms} p99.9 ${p999Ms} max ${maxMs} ms, ${pauses} above 50`;

const keyPathsOf = (app: BigpipeApp) => app.complaints.join('\n');

/** How long the program answers nobody while it reloads, and the processor time of it, by how many consumers it has. */
async function eventLoop(lab: Lab): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const count of [2, 100, 1000]) {
    const consumer = { topic: 'bench', rateLimit: 1000, timeout: 1000, retries: 2, concurrency: 10 };
    const list = Array.from({ length: count }, (_, i) => ({ ...consumer, groupId: `G${i}` }));
    const settings = { 'broker.driver': 'memory', 'kafka.consumer.list': list };
    const app = await lab.app({ directory: await lab.directory(), concurrency: 1, partitions: 1, settings });
    const [longest, processor, quiet]: number[][] = [[], [], []];
    for (let turn = 0; turn < (lab.quick ? 3 : 10); turn += 1) {
      quiet?.push(await longestAnswerMs(app, sleep(turnMs / 20)));
      const keys = JSON.parse(app.config) as Keys;
      const text = JSON.stringify({
        ...keys,
        'kafka.consumer.list': list.map((one) => ({ ...one, rateLimit: 1000 + turn })),
      });
      const before = cpuSeconds(app.pid);
      longest?.push(
        await longestAnswerMs(
          app,
          app.reload(text).then(() => sleep(settleMs)),
        ),
      );
      processor?.push((cpuSeconds(app.pid) - before) * 1000);
    }
    figures.push({
      name: `longest answer of an idle program while all of ${count} consumers change`,
      unit: 'ms',
      value: median(longest ?? []),
      reference: { name: 'no reload', value: median(quiet ?? []) },
    });
    lab.say(
      `${count} consumers: ${longest?.map((ms) => ms.toFixed(1)).join(' ')}; CPU ${processor?.map((ms) => ms.toFixed(0)).join(' ')} ms`,
    );
    await app.stop();
  }
  return figures;
}

/** Of answers to somebody who asks again and again. */
async function longestAnswerMs(app: BigpipeApp, during: Promise<unknown>): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const latencies = new Latencies();
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      const startUs = nowUs();
      await new Promise<void>((resolve, reject) => {
        get({ host: '127.0.0.1', port: app.port, path: '/livez', agent }, (response) => {
          response.on('end', resolve).resume();
        }).on('error', reject);
      });
      latencies.record(nowUs() - startUs);
      await sleep(1);
    }
  })();
  await during;
  isOver = true;
  await asking;
  agent.destroy();
  return latencies.summary().maxMs;
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0);
