// Pausing a subscription or one of its destinations, over HTTP; it holds until it is resumed, also through a restart.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let one: TargetServer;
let other: TargetServer;

beforeEach(async () => {
  [one, other] = [await TargetServer.start(), await TargetServer.start()];
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.topics': [{ name: 'test', partitions: 1 }], 'kafka.consumer.list': [baseConsumer()] }),
  });
});

afterEach(async () => {
  await bigpipe.dispose();
  await Promise.all([one.close(), other.close()]);
});

async function ask(method: string, path: string): Promise<{ status: number; answer: unknown }> {
  const response = await until('it may be asked', async () => {
    const got = await fetch(`${bigpipe.management}${path}`, { method });
    return got.status === 429 ? null : got;
  });
  return { status: response.status, answer: await response.json() };
}

interface Row {
  readonly paused: readonly { readonly destination: string | null; readonly since: string }[];
  readonly backlog: Record<string, number>;
}

const row = async () => ((await ask('GET', '/subscriptions')).answer as Row[])[0] as Row;
const waiting = (count: number) =>
  until(`${count} wait for the pause`, async () => (await row()).backlog['pause'] === count);

test('a paused subscription sends nothing, says since when, and goes on where it was, also after a kill', async () => {
  const { status, answer } = await ask('POST', '/subscriptions/test/G1/pause');
  expect(status).toBe(200);
  expect(answer).toMatchObject({ paused: [{ destination: null }] });
  for (const id of ['a', 'b']) await bigpipe.call({ id, url: one.url(), partition_key: 'k' });
  await bigpipe.call({ id: 'c', url: other.url() });
  await waiting(2);
  const explained = (await ask('GET', '/explain?id=c')).answer as { deliveries: { waitingFor: object[] }[] };
  expect(explained.deliveries[0]?.waitingFor[0]).toMatchObject({ reason: 'pause', until: null });
  await bigpipe.end('SIGKILL');
  const { directory } = bigpipe;
  bigpipe = await BigpipeProcess.start({ directory });
  await waiting(2);
  expect([one.arrivals.length, other.arrivals.length]).toEqual([0, 0]);
  expect((await ask('POST', '/subscriptions/test/G1/resume')).answer).toEqual({ paused: [] });
  await until('all arrive', () => one.arrivals.length + other.arrivals.length === 3);
  expect(one.arrivals.map(({ headers }) => headers['bigpipe-message-id'])).toEqual(['a', 'b']);
});

test('a paused destination holds no other', async () => {
  const at = `destination=${encodeURIComponent(one.url('/path'))}`;
  const origin = new URL(one.url()).origin;
  expect((await ask('POST', `/subscriptions/test/G1/pause?${at}`)).answer).toMatchObject({
    paused: [{ destination: origin }],
  });
  await bigpipe.call({ id: 'held', url: one.url() });
  await bigpipe.call({ id: 'free', url: other.url() });
  await until('the other one arrives', () => other.arrivals.length === 1);
  await waiting(1);
  expect(one.arrivals).toEqual([]);
  await ask('POST', `/subscriptions/test/G1/resume?${at}`);
  await until('the held one arrives', () => one.arrivals.length === 1);
});

test.each<[string, string, number, RegExp]>([
  [
    'an unknown subscription',
    '/subscriptions/test/nobody/pause',
    404,
    /no subscription of the topic test with the group nobody/,
  ],
  [
    'a destination that is none',
    '/subscriptions/test/G1/pause?destination=x',
    400,
    /destination: found "x", allowed: an origin/,
  ],
])('%s is told so', async (_what, path, status, message) => {
  const got = await ask('POST', path);
  expect(got.status).toBe(status);
  expect((got.answer as { message: string }).message).toMatch(message);
});
