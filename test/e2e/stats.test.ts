// GET /stats: the shape of the original, and figures that add up.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { rawRequest } from '../support/raw-request.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const config = baseConfig({
  'kafka.topics': [
    { name: 'test', partitions: 3 },
    { name: 'other', partitions: 1 },
    { name: 'unused', partitions: 1 },
  ],
  'kafka.producer.acl': [
    { name: 'system-1', secret: 'i am good', topic: 'test' },
    { name: 'system-2', secret: 'you are bad', topic: 'other' },
    { name: 'system-3', secret: 'third', topic: 'test' },
  ],
  // Neither the alphabet nor the topics' order: the page must keep the order of the file.
  'kafka.consumer.list': [
    baseConsumer({ groupId: 'Z' }),
    baseConsumer({ topic: 'other', groupId: 'M' }),
    baseConsumer({ groupId: 'A' }),
  ],
  'http.server.max.body.size': 1024,
});

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('an idle bigpipe shows every section with zeros', async () => {
  const answer = await rawRequest(`${bigpipe.origin}/stats`, { method: 'GET' });
  expect(answer.status).toBe(200);
  const client = { circuitIsBreak: 0, rpcFail: 0, rpcRetries: 0, rpcSuccess: 0, rpcTotal: 0 };
  const producer = { deliveryFail: 0, deliverySuccess: 0 };
  const page = JSON.parse(answer.text) as { data: { consumerStats: unknown } };
  // Fields may be added inside, none may be missing.
  expect(page).toMatchObject({
    data: {
      clientStats: { test: client, other: client },
      consumerStats: [
        { groupId: 'Z', handleMessage: 0, invalidMessage: 0, topic: 'test' },
        { groupId: 'M', handleMessage: 0, invalidMessage: 0, topic: 'other' },
        { groupId: 'A', handleMessage: 0, invalidMessage: 0, topic: 'test' },
      ],
      producerStats: { test: producer, other: producer },
      serverStats: { acceptedCall: 0, overloadCall: 0, receivedCall: 0 },
    },
    errno: 0,
    msg: 'success',
  });
  expect(Array.isArray(page.data.consumerStats)).toBe(true);
});

test('there are no sections for topics that nobody writes to or reads from', async () => {
  const { clientStats, producerStats } = await bigpipe.stats();
  expect(Object.keys(clientStats).sort()).toEqual(['other', 'test']);
  expect(Object.keys(producerStats).sort()).toEqual(['other', 'test']);
});

test('every call is received, only a stored one is accepted', async () => {
  await bigpipe.call({ url: target.url() });
  await bigpipe.call({ url: target.url(), acl: { name: 'system-3', secret: 'third' } });
  await bigpipe.call({ url: 'nonsense' });
  await bigpipe.call({ url: target.url(), acl: { name: 'system-1', secret: 'wrong' } });
  await bigpipe.post('not JSON');
  await bigpipe.post(undefined);
  await bigpipe.post('x'.repeat(1025));
  const { serverStats, producerStats } = await bigpipe.stats();
  expect(serverStats).toMatchObject({ receivedCall: 7, acceptedCall: 2, overloadCall: 0 });
  expect(producerStats).toEqual({
    test: { deliverySuccess: 2, deliveryFail: 0 },
    other: { deliverySuccess: 0, deliveryFail: 0 },
  });
});

test('clients count by topic with all groups together, consumers by group', async () => {
  target.script = ({ path, headers }, response) => {
    const isUp = path === '/up' || (path === '/second' && headers['bigpipe-attempt'] === '2');
    response.writeHead(isUp ? 200 : 503).end();
  };
  await bigpipe.call({ url: target.url('/up') });
  await bigpipe.call({ url: target.url('/second') });
  await bigpipe.call({ url: target.url('/down') });
  await bigpipe.call({ url: target.url('/up'), acl: { name: 'system-2', secret: 'you are bad' } });
  const stats = await untilStats(
    bigpipe,
    'all is settled',
    ({ clientStats: { test: client, other } }) => client?.['deadLetters'] === 2 && other?.['rpcSuccess'] === 1,
  );
  expect(stats.clientStats['test']).toMatchObject({ rpcTotal: 6, rpcSuccess: 4, rpcFail: 2, rpcRetries: 6 });
  expect(stats.clientStats['other']).toMatchObject({ rpcTotal: 1, rpcSuccess: 1, rpcFail: 0, rpcRetries: 0 });
  expect(stats.consumerStats).toMatchObject([
    { groupId: 'Z', topic: 'test', handleMessage: 3, invalidMessage: 0 },
    { groupId: 'M', topic: 'other', handleMessage: 1, invalidMessage: 0 },
    { groupId: 'A', topic: 'test', handleMessage: 3, invalidMessage: 0 },
  ]);
});

test('rpcTotal less success and failure is what waits or is in flight', async () => {
  const held: (() => void)[] = [];
  target.script = (_arrival, response) =>
    new Promise<void>((resolve) => {
      held.push(() => {
        response.end();
        resolve();
      });
    });
  await bigpipe.call({ url: target.url() });
  await until('both groups wait for the receiver', () => held.length === 2);
  expect((await bigpipe.stats()).clientStats['test']).toMatchObject({ rpcTotal: 2, rpcSuccess: 0, rpcFail: 0 });
  for (const release of held) release();
  const stats = await untilStats(bigpipe, 'both are settled', (s) => s.clientStats['test']?.['rpcSuccess'] === 2);
  expect(stats.clientStats['test']).toMatchObject({ rpcTotal: 2, rpcFail: 0 });
});

test('the sections stand in the order of their names', async () => {
  const names = Object.keys(await bigpipe.stats());
  expect(names).toEqual([...names].sort());
});
