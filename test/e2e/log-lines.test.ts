// The log as JSON lines: one a fact, with all that is needed to find the message; of what goes well a sample.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFilesLimit } from '#src/open-files.js';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const start = async (sample: number) => {
  const consumer = baseConsumer({
    retries: 1,
    destinations: [{ name: 'billing', origins: [new URL(target.url()).origin] }],
  });
  const config = baseConfig({
    'log.sample': sample,
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [consumer],
  });
  bigpipe = await BigpipeProcess.start({ config });
};
const linesOf = (id: unknown) => bigpipe.log.filter((line) => line['id'] === id);

test('a message is told of when it is stored, when an attempt fails, and when it is delivered', async () => {
  target.script = ({ headers }, response) => {
    response.writeHead(headers['bigpipe-attempt'] === '1' ? 503 : 200).end();
  };
  await start(1);
  const body = { acl: { name: 'system-1', secret: 'i am good' }, url: target.url(), partition_key: '', data: 'x' };
  const answer = await bigpipe.post(JSON.stringify(body), { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  const id = answer.headers.get('bigpipe-message-id');
  const lines = await until('all of its lines are there', () => linesOf(id).length === 3 && linesOf(id));
  const place = { id, topic: 'test', partition: 0, offset: '0' };
  expect(lines).toMatchObject([
    { ...place, level: 30, context: 'Producer', msg: 'stored' },
    { ...place, level: 40, msg: 'attempt failed', group: 'G1', destination: 'billing', attempt: 1, traceId },
    { ...place, level: 30, msg: 'delivered', group: 'G1', destination: 'billing', attempt: 2, status: 200, traceId },
  ]);
});

test('without a sample only what goes wrong is told', async () => {
  target.script = ({ path }, response) => {
    response.writeHead(path === '/bad' ? 400 : 200).end();
  };
  await start(0);
  const good = await bigpipe.call({ url: target.url() });
  const bad = await bigpipe.call({ url: target.url('/bad') });
  const badId = bad.headers.get('bigpipe-message-id');
  await until('the refusal is told', () => linesOf(badId).length > 0);
  await until('both have arrived', () => target.arrivals.length === 2);
  // All of it comes before the end.
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(linesOf(badId)).toMatchObject([{ msg: 'attempt rejected', topic: 'test', group: 'G1', attempt: 1 }]);
  expect(linesOf(good.headers.get('bigpipe-message-id'))).toEqual([]);
});

test('a limit of open files below what the settings allow is told of once, at the start', async ({ skip }) => {
  const limit = openFilesLimit();
  await start(0);
  if (limit === null || limit >= 1_000_000) skip('this system lets a process open more files than any settings allow');
  await bigpipe.dispose();
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.max.connections': 1_000_000 }) });
  const told = () => bigpipe.log.filter(({ msg }) => typeof msg === 'string' && msg.includes('ulimit -n'));
  await until('it is told', () => told().length === 1);
  expect(told()).toMatchObject([{ level: 40, limit, connections: 1_000_000 }]);
});
