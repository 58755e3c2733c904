// Publish over gRPC, by a client that knows only what reflection tells: what /v1/messages carries, and statuses that mean what they say.
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { basic } from '../support/credentials.js';
import { asSystem1, metadataOf, ReflectedClient } from '../support/reflected-client.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;
let client: ReflectedClient;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'http.server.handler.channel.size': 1,
      'http.server.max.body.size': 1024,
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'test' },
        { name: 'slow', secret: 'me too', topic: 'test', rateLimit: 0.001, burst: 1 },
      ],
    }),
  });
  client = await ReflectedClient.connect(`127.0.0.1:${bigpipe.grpcPort}`);
});

afterEach(() => {
  target.arrivals.length = 0;
});

afterAll(async () => {
  client.close();
  await bigpipe.dispose();
  await target.close();
});

test('reflection tells what there is, and what it tells is enough to publish with every field', async () => {
  expect(client.services).toEqual(['bigpipe.v1.Bigpipe', 'grpc.health.v1.Health']);
  const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const metadata = metadataOf({ authorization: basic('system-1', 'i am good'), traceparent: trace });
  const answer = await client.publish(
    {
      url: target.url('/a?b=c'),
      topic: 'test',
      type: 'order.paid',
      key: Buffer.from([0xff, 0]),
      id: 'order-1',
      acks: 'ACKS_LEADER',
      delay: { seconds: 0, nanos: 50_000_000 },
      expires_at: { seconds: Math.floor(Date.now() / 1000) + 3600 },
      content_type: 'text/x-own',
      headers: [{ name: 'X-Own', value: 'v' }],
      body: Buffer.from([1, 0, 255]),
      callback_url: target.url('/callback'),
    },
    metadata,
  );
  expect(answer).toEqual({ id: 'order-1', durability: 'fsync', replayed: false });
  const arrival = await until('it arrives', () => target.arrivals[0]);
  expect([arrival.path, arrival.body]).toEqual(['/a?b=c', Buffer.from([1, 0, 255])]);
  expect(arrival.headers).toMatchObject({
    'bigpipe-message-id': 'order-1',
    'bigpipe-type': 'order.paid',
    'content-type': 'text/x-own',
    'x-own': 'v',
    traceparent: trace,
    'bigpipe-deadline': expect.any(String),
  });
  await until('its answer is delivered', () => target.arrivals.some(({ path }) => path === '/callback'));
});

test('the same message under the same idempotency key is stored once, another one is refused', async () => {
  const message = { url: target.url(), idempotency_key: 'k', body: Buffer.from('a') };
  const first = await client.publish(message);
  expect(await client.publish(message)).toEqual({ ...first, replayed: true });
  const other = await client.refusal(client.publish({ ...message, body: Buffer.from('b') }));
  expect(other).toMatchObject({
    code: status.FAILED_PRECONDITION,
    details: [{ type: 'ErrorInfo', reason: 'IDEMPOTENCY_MISMATCH', domain: 'bigpipe' }],
  });
  await until('it arrives', () => target.arrivals.length > 0);
  expect(target.arrivals.length).toBe(1);
});

test('everything that is wrong with a message is told at once, with its field', async () => {
  const refusal = await client.refusal(
    client.publish({
      url: 'ftp://x',
      topic: 'ö',
      key: Buffer.alloc(9000),
      delay: { seconds: -1 },
      expires_at: { seconds: 5 },
      headers: [
        { name: 'host', value: 'x' },
        { name: 'a', value: '1' },
        { name: 'a', value: '2' },
      ],
    }),
  );
  expect(refusal.code).toBe(status.INVALID_ARGUMENT);
  const bad = refusal.details.find(({ type }) => type === 'BadRequest') as unknown as {
    field_violations: { field: string; description: string }[];
  };
  expect(bad.field_violations.map(({ field }) => field).sort()).toEqual([
    'message.delay',
    'message.expires',
    'message.headers["a"]',
    'message.headers["host"]',
    'message.key',
    'message.topic',
    'message.url',
  ]);
  expect(await client.refusal(client.ask('Publish', {}))).toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('who is not known, and what is not allowed', async () => {
  const message = { url: target.url() };
  for (const metadata of [metadataOf({}), metadataOf({ authorization: basic('system-1', 'wrong') })]) {
    expect(await client.refusal(client.publish(message, metadata))).toMatchObject({ code: status.UNAUTHENTICATED });
  }
  expect(await client.refusal(client.publish({ topic: 'none' }))).toMatchObject({
    code: status.PERMISSION_DENIED,
    details: [{ reason: 'FORBIDDEN' }, { type: 'BadRequest' }],
  });
  expect(await client.refusal(client.publish({ url: 'http://10.0.0.1/' }))).toMatchObject({
    code: status.PERMISSION_DENIED,
  });
});

test('a body that is too long is refused, a much longer one before it is read', async () => {
  const message = { url: target.url(), body: Buffer.alloc(1025) };
  expect(await client.refusal(client.publish(message))).toMatchObject({ code: status.INVALID_ARGUMENT });
  expect(await client.refusal(client.publish({ ...message, body: Buffer.alloc(100_000) }))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: [],
  });
});

test('overload and a used-up rate are RESOURCE_EXHAUSTED, with when to come back', async () => {
  const retryInfo = { type: 'RetryInfo', retry_delay: { seconds: expect.stringMatching(/^[1-9]\d*$/) } };
  const refused = await until('some of many at once are turned away', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 50 }, () => client.publish({ url: target.url() }, asSystem1)),
    );
    return answers.find((answer) => answer.status === 'rejected');
  });
  expect(await client.refusal(Promise.reject(refused.reason))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: [{ reason: 'OVERLOADED' }, retryInfo],
  });
  const slow = metadataOf({ authorization: basic('slow', 'me too') });
  await client.publish({ url: target.url() }, slow);
  expect(await client.refusal(client.publish({ url: target.url() }, slow))).toMatchObject({
    code: status.RESOURCE_EXHAUSTED,
    details: [{ reason: 'THROTTLED' }, retryInfo],
  });
  expect((await bigpipe.stats()) as unknown).toMatchObject({ grpcStats: { refused: expect.any(Number) } });
});
