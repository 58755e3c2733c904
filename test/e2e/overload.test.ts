// A bigpipe that is full says so at once and says when to come back; what it answered with success arrives.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type RpcAnswer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const maxBursts = 50;

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const burst = (data = ''): Promise<RpcAnswer[]> =>
  Promise.all(Array.from({ length: 100 }, () => bigpipe.call({ url: target.url(), data })));

/** Whether two calls meet at the door is chance: bursts until some were turned away. */
async function untilOverloaded(data?: string): Promise<RpcAnswer[]> {
  const answers: RpcAnswer[] = [];
  for (let i = 0; i < maxBursts && !answers.some(({ body }) => body.errno !== 0); i += 1) {
    answers.push(...(await burst(data)));
  }
  return answers;
}

interface Outcome {
  /** Answers other than success: how they look, each kind once. */
  readonly refusals: ReadonlySet<string>;
  readonly serverStats: Record<string, number>;
  readonly expectedStats: Record<string, number>;
  readonly arrived: ReadonlyMap<string, number>;
  readonly expectedToArrive: ReadonlyMap<string, number>;
}

/** What became of the calls, once all that were taken have arrived. */
async function outcomeOf(answers: readonly RpcAnswer[]): Promise<Outcome> {
  const taken = answers.filter(({ body }) => body.errno === 0);
  const turnedAway = answers.filter(({ body }) => body.errno !== 0);
  const ids = taken.map(({ headers }) => headers.get('bigpipe-message-id') ?? '');
  await until('every call that was taken has arrived', () => ids.every((id) => target.countById().has(id)));
  const look = ({ status, headers, body }: RpcAnswer) =>
    `${status} ${headers.get('retry-after')} ${headers.get('bigpipe-message-id')} ${JSON.stringify(body)}`;
  return {
    refusals: new Set(turnedAway.map(look)),
    serverStats: (await bigpipe.stats()).serverStats,
    expectedStats: {
      receivedCall: answers.length,
      acceptedCall: taken.length,
      overloadCall: turnedAway.length,
    },
    arrived: target.countById(),
    expectedToArrive: new Map(ids.map((id) => [id, 1])),
  };
}

const overloaded = new Set(['200 1 null {"data":"","errno":-1,"msg":"超过负载"}']);

const bounds: [string, Record<string, number>, string][] = [
  ['calls', { 'http.server.handler.channel.size': 1 }, ''],
  ['calls, by the older name of the bound,', { 'kafka.producer.channel.size': 1 }, ''],
  ['bytes', { 'http.server.handler.channel.bytes': 65_536 }, 'x'.repeat(50_000)],
];

test.each(bounds)('more %s at once than may wait are turned away, the others arrive', async (_what, keys, data) => {
  bigpipe = await BigpipeProcess.start({ config: baseConfig(keys) });
  const outcome = await outcomeOf(await untilOverloaded(data));
  expect(outcome.refusals).toEqual(overloaded);
  expect(outcome.expectedToArrive.size).toBeGreaterThan(0);
  expect(outcome.arrived).toEqual(outcome.expectedToArrive);
  expect(outcome.serverStats).toEqual(outcome.expectedStats);
  expect((await bigpipe.call({ url: target.url() })).body.errno).toBe(0);
});

test('one call that is larger than all that may wait is taken', async () => {
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.handler.channel.bytes': 1024 }) });
  const answer = await bigpipe.call({ url: target.url(), data: 'x'.repeat(10_000) });
  expect(answer.body.errno).toBe(0);
  await until('it arrives', () => target.arrivals.some(({ body }) => body.length === 10_000));
});

test('of both names the newer one wins', async () => {
  const both = { 'kafka.producer.channel.size': 1, 'http.server.handler.channel.size': 100_000 };
  bigpipe = await BigpipeProcess.start({ config: baseConfig(both) });
  const answers = (await Promise.all(Array.from({ length: 5 }, () => burst()))).flat();
  expect(new Set(answers.map(({ body }) => body.errno))).toEqual(new Set([0]));
});

test('a receiver that does not answer turns no caller away', async () => {
  target.script = () => undefined;
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.handler.channel.size': 100 }) });
  for (let i = 0; i < 5; i += 1) {
    expect(new Set((await burst()).map(({ body }) => body.errno))).toEqual(new Set([0]));
  }
});
