// bigpipe-cache: the same call within so many seconds is answered as before, and not made again.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { idOf, problemOf, send, sendJson } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start(({ body }, response) => {
    if (body.toString() === 'no') response.statusCode = 404;
    response.setHeader('content-type', 'text/x-own');
    response.end(`${target.arrivals.length}`);
  });
  const acl = { secret: 'i am good', topic: 'test' };
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.producer.acl': [
        { ...acl, name: 'system-1' },
        { ...acl, name: 'other' },
      ],
      'kafka.consumer.list': [baseConsumer({ retries: 0 })],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const ask = (body: string, headers: Record<string, string> = {}, path = '/') =>
  send(bigpipe, { prefer: 'wait=10', 'bigpipe-cache': '60', 'bigpipe-url': target.url(path), ...headers }, body);

const rpc = async (data: string, cache = '60', more: object = {}) => {
  const acl = { name: 'system-1', secret: 'i am good' };
  const fields = { acl, url: target.url('/rpc'), data, partition_key: '', wait: 10, ...more };
  return bigpipe.post(JSON.stringify(fields), { 'bigpipe-cache': cache });
};

test('the second of the same is a hit: the same answer, and nothing is delivered', async () => {
  const [first, second] = [
    await ask('a'),
    await ask('a', { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }),
  ];
  expect([first.headers['bigpipe-cache'], second.headers['bigpipe-cache']]).toEqual(['miss', 'hit']);
  expect([second.status, second.text, second.headers['content-type']]).toEqual([200, first.text, 'text/x-own']);
  expect(second.headers['age']).toMatch(/^\d+$/);
  expect(idOf(second)).toBe(idOf(first));
  expect(target.arrivals.filter(({ body }) => body.toString() === 'a').length).toBe(1);
});

test('on /rpc/call too', async () => {
  const [first, second] = [await rpc('a'), await rpc('a')];
  expect([first.headers.get('bigpipe-cache'), second.headers.get('bigpipe-cache')]).toEqual(['miss', 'hit']);
  expect(second.body).toEqual(first.body);
  expect((await rpc('b')).headers.get('bigpipe-cache')).toBe('miss');
});

test('whatever the receiver sees makes another call, and so does who asks', async () => {
  const form = { 'content-type': 'text/plain' };
  await ask('b', form);
  const others = await Promise.all([
    ask('b', { ...form, 'content-type': 'text/html' }),
    ask('b', { ...form, 'bigpipe-forward-x-user': '7' }),
    ask('b', { ...form, 'bigpipe-type': 't' }),
    ask('b', form, '/elsewhere'),
    ask('b', { ...form, authorization: basic('other', 'i am good') }),
    ask('B', form),
  ]);
  expect(others.map(({ headers }) => headers['bigpipe-cache'])).toEqual(others.map(() => 'miss'));
  expect((await ask('b', form)).headers['bigpipe-cache']).toBe('hit');
});

test('a no is not kept', async () => {
  expect([(await ask('no')).status, (await ask('no')).headers['bigpipe-cache']]).toEqual([404, 'miss']);
});

test('in the JSON form the header stands beside it', async () => {
  const headers = { prefer: 'wait=10', 'bigpipe-cache': '60' };
  const answers = [
    await sendJson(bigpipe, { url: target.url(), data: 'json' }, headers),
    await sendJson(bigpipe, { url: target.url(), data: 'json' }, headers),
  ];
  expect(answers.map((answer) => answer.headers['bigpipe-cache'])).toEqual(['miss', 'hit']);
});

test.each([
  [{ 'bigpipe-cache': '0' }],
  [{ 'bigpipe-cache': '86401' }],
  [{ 'bigpipe-cache': 'soon' }],
  [{ prefer: 'respond-async' }],
  [{ 'idempotency-key': 'k' }],
])('%j is told so', async (headers) => {
  const answer = await ask('x', headers);
  expect([answer.status, problemOf(answer).errors?.[0]?.header]).toEqual([400, 'bigpipe-cache']);
});

test('so it is on /rpc/call', async () => {
  expect((await rpc('x', '0')).body.msg).toMatch(/^bigpipe-cache无效: /);
  expect((await rpc('x', '60', { wait: 0 })).body.msg).toMatch(/^bigpipe-cache无效: /);
});
