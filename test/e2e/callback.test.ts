// callback_url: the receiver's answer is delivered as a message of its own, at least once, by the group that got it.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { goodCaller, problemOf, send, sendJson, sendLines } from '../support/messages-door.js';
import { rawRequest } from '../support/raw-request.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let caller: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start(({ body, path }, response) => {
    const text = body.toString();
    if (text === 'no') response.writeHead(404, { 'content-type': 'text/plain' }).end('never heard of it');
    else if (text === 'long') response.end('x'.repeat(2000));
    else if (path !== '/') response.end(path);
    else response.writeHead(201, { 'content-type': 'text/x-own', etag: '"1"', 'set-cookie': 's' }).end(`was ${text}`);
  });
  const groups = ['G1', 'G2', 'G3'].map((groupId) =>
    baseConsumer({ topic: 'many', groupId, url: target.url(`/${groupId}`) }),
  );
  const acl = { name: 'system-1', secret: 'i am good', topic: 'test', topics: ['many'] };
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'reply.max.bytes': 1000,
      'kafka.topics': ['test', 'many'].map((name) => ({ name, partitions: 3 })),
      'kafka.producer.acl': [acl, { ...acl, name: 'narrow', allow: [`http://127.0.0.1:${target.port}`] }],
      'commit.open.topics': ['test'],
      'kafka.consumer.list': [baseConsumer({ url: target.url() }), ...groups],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

beforeEach(async () => {
  caller = await TargetServer.start();
});

afterEach(() => caller.close());

/** What the caller is called with: whose answer, of which message, how it ended, as what, from which header. */
const told = ({ headers, body }: Arrival) => ({
  of: headers['bigpipe-callback-of'],
  kind: headers['bigpipe-reply'],
  status: headers['bigpipe-reply-status'],
  type: headers['content-type'],
  body: body.toString(),
});

const called = async (count: number): Promise<Arrival[]> => {
  await until(`${count} callbacks have come`, () => caller.arrivals.length >= count);
  return caller.arrivals;
};

interface Door {
  readonly send: (body: string, callbackUrl: string) => Promise<unknown>;
}

const doors: [string, Door][] = [
  [
    '/rpc/call',
    {
      send: (data, callback_url) =>
        bigpipe.call({ id: 'm1', url: target.url(), data, callback_url, partition_key: 'k' }),
    },
  ],
  [
    '/v1/messages',
    {
      send: (body, callback) =>
        send(
          bigpipe,
          { 'bigpipe-url': target.url(), 'bigpipe-message-id': 'm1', 'bigpipe-callback-url': callback },
          body,
        ),
    },
  ],
  [
    '/v1/messages in JSON',
    { send: (data, callback_url) => sendJson(bigpipe, { id: 'm1', url: target.url(), data, callback_url }) },
  ],
  [
    '/v1/messages:batch',
    { send: (data, callback_url) => sendLines(bigpipe, [{ id: 'm1', url: target.url(), data, callback_url }]) },
  ],
  [
    '/commit',
    {
      send: (body, callback) =>
        rawRequest(`${bigpipe.origin}/commit?topic=test`, {
          headers: { authorization: goodCaller, 'bigpipe-message-id': 'm1', 'bigpipe-callback-url': callback },
          body: [Buffer.from(body)],
        }),
    },
  ],
];

test.each(doors)('%s: the answer comes as it was, and says what it answers', async (_name, door) => {
  await door.send('hello', caller.url('/answers'));
  const [arrival] = await called(1);
  expect(told(arrival as Arrival)).toEqual({
    of: 'm1',
    kind: 'answered',
    status: '201',
    type: 'text/x-own',
    body: 'was hello',
  });
  expect(arrival).toMatchObject({ path: '/answers', headers: { etag: '"1"' } });
  expect(arrival?.headers).not.toHaveProperty('set-cookie');
  expect(target.arrivals.at(-1)?.headers).not.toHaveProperty('bigpipe-callback-url');
  expect((await bigpipe.stats()).clientStats['test']).toMatchObject({ callbacks: expect.any(Number) });
});

test('a no is an answer; one that is too long says so; one that never came too', async () => {
  await bigpipe.call({ id: 'no', url: target.url(), data: 'no', callback_url: caller.url() });
  await bigpipe.call({ id: 'long', url: target.url(), data: 'long', callback_url: caller.url() });
  await bigpipe.call({ id: 'gone', url: 'http://127.0.0.1:1/', callback_url: caller.url() });
  const arrivals = await called(3);
  const of = (id: string) => told(arrivals.find(({ headers }) => headers['bigpipe-callback-of'] === id) as Arrival);
  expect(of('no')).toMatchObject({ kind: 'answered', status: '404', body: 'never heard of it' });
  expect(of('long')).toMatchObject({ kind: 'failed', status: '200', type: 'application/problem+json' });
  expect(JSON.parse(of('gone').body)).toMatchObject({ code: 'not-delivered', receiver: 0 });
  expect(of('gone')).toMatchObject({ kind: 'failed', status: '0' });
});

test('a callback that fails is tried again like any call', async () => {
  caller.script = (_arrival, response) => {
    response.statusCode = caller.arrivals.length < 3 ? 503 : 200;
    response.end();
  };
  await bigpipe.call({ url: target.url(), data: 'hello', callback_url: caller.url() });
  const arrivals = await called(3);
  expect(new Set(arrivals.map(({ headers }) => headers['bigpipe-message-id'])).size).toBe(1);
});

test('of several groups each tells its own receiver’s answer, once', async () => {
  await sendJson(bigpipe, { topic: 'many', data: 'x', callback_url: caller.url() });
  await called(3);
  await sendJson(bigpipe, { topic: 'many', data: 'y', callback_url: caller.url() });
  const arrivals = await called(6);
  expect(arrivals.map(({ body }) => body.toString()).sort()).toEqual(['/G1', '/G1', '/G2', '/G2', '/G3', '/G3']);
  expect(new Set(arrivals.map(({ headers }) => headers['bigpipe-message-id'])).size).toBe(6);
});

test('one that may not be called is refused at the door', async () => {
  const acl = { name: 'narrow', secret: 'i am good' };
  const elsewhere = caller.url();
  expect((await bigpipe.call({ acl, url: target.url(), callback_url: elsewhere })).body.msg).toMatch(
    /^callback_url无效: /,
  );
  expect((await bigpipe.call({ url: target.url(), callback_url: 'ftp://x' })).body.msg).toMatch(/^callback_url无效: /);
  const refused = await sendJson(
    bigpipe,
    { url: target.url(), callback_url: elsewhere },
    { authorization: basic('narrow', 'i am good') },
  );
  expect([refused.status, problemOf(refused).errors?.[0]]).toEqual([
    403,
    expect.objectContaining({ pointer: '#/callback_url' }),
  ]);
  const bad = await send(bigpipe, { 'bigpipe-url': target.url(), 'bigpipe-callback-url': 'nowhere' }, '');
  expect([bad.status, problemOf(bad).errors?.[0]]).toEqual([
    400,
    expect.objectContaining({ header: 'bigpipe-callback-url' }),
  ]);
  // Nobody who has no name may have anything called.
  const nameless = await rawRequest(`${bigpipe.origin}/commit?topic=test`, {
    headers: { 'bigpipe-callback-url': target.url() },
    body: [Buffer.from('x')],
  });
  expect(nameless.status).toBe(403);
});
