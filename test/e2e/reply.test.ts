// A caller that waits gets the receiver's answer; one that waits in vain is answered as if it had not asked to.
import { request } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start((arrival, response) => {
    const text = arrival.body.toString();
    if (text === 'late') return;
    if (text === 'no') response.writeHead(404, { 'content-type': 'text/plain' }).end('never heard of it');
    else if (text === 'long') response.end('x'.repeat(5000));
    else if (text === 'bytes') response.end(Buffer.from([0, 255, 128]));
    else
      response
        .writeHead(201, { 'content-type': 'application/json', etag: '"1"', 'set-cookie': 's' })
        .end(`{"was":"${text}"}`);
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'reply.max.bytes': 1000,
      'http.server.write.timeout': 300,
      'kafka.consumer.list': [baseConsumer({ timeout: 5000, retries: 0 })],
    }),
  });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const acl = { name: 'system-1', secret: 'i am good' };

async function call(data: string, more: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`http://127.0.0.1:${bigpipe.port}/rpc/call`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ acl, url: target.url(), data, partition_key: '', wait: 10, ...more }),
  });
  return { headers: response.headers, body: (await response.json()) as Record<string, unknown> };
}

test('the answer of the receiver is the answer of the call', async () => {
  const { headers, body } = await call('hello');
  expect(body).toEqual({
    data: '{"was":"hello"}',
    errno: 0,
    msg: '发送成功',
    reply: { status: 201, headers: { 'content-type': 'application/json', etag: '"1"' }, encoding: 'utf-8' },
  });
  expect([headers.get('bigpipe-reply'), headers.get('bigpipe-durability')]).toEqual(['answered', 'disk']);
  expect(target.arrivals[0]?.headers).not.toHaveProperty('bigpipe-reply-to');
  expect((await call('bytes')).body).toMatchObject({ data: 'AP+A', reply: { encoding: 'base64' } });
});

test('a no is an answer too; one that is too long, or never came, says so', async () => {
  expect((await call('no')).body).toMatchObject({ data: 'never heard of it', errno: 0, reply: { status: 404 } });
  const long = await call('long');
  expect(long.body).toMatchObject({
    data: '',
    errno: 0,
    reply: { status: 200, detail: expect.stringContaining('too long') },
  });
  expect(long.headers.get('bigpipe-reply')).toBe('failed');
  // Longer than the idle time of a connection.
  expect((await call('late')).body).toMatchObject({
    errno: 0,
    reply: { status: 0, detail: expect.stringContaining('no answer within') },
  });
});

test('whose time is over is answered as if it had not waited', async () => {
  const { headers, body } = await call('late', { wait: 0.4 });
  expect(body).toEqual({ data: '', errno: 0, msg: '发送成功' });
  expect(headers.get('bigpipe-reply')).toBeNull();
  expect(target.arrivals.length).toBe(1);
});

test('the same call again gets the same answer, and is delivered once', async () => {
  const key = { 'idempotency-key': '"k1"' };
  const first = await call('hello', {}, key);
  const again = await call('hello', {}, key);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get('idempotency-replayed')).toBe('true');
  expect(target.arrivals.length).toBe(1);
});

test('a caller that hangs up changes nothing', async () => {
  const hangUp = new Promise<void>((resolve) => {
    const gone = request({ port: bigpipe.port, path: '/rpc/call', method: 'POST' });
    gone.on('error', () => resolve());
    gone.end(JSON.stringify({ acl, url: target.url(), data: 'late', partition_key: '', wait: 10 }));
    void until('it has arrived', () => target.arrivals.length === 1).then(() => gone.destroy());
  });
  await hangUp;
  await until('nobody waits', async () => {
    const { replyStats } = (await bigpipe.stats()) as unknown as { replyStats: { waiting: number } };
    return replyStats.waiting === 0;
  });
  expect((await call('hello')).body).toMatchObject({ data: '{"was":"hello"}' });
  expect(target.arrivals.length).toBe(2);
});

test('a drain does not wait for who waits', async () => {
  const waiting = call('late');
  await until('it has arrived', () => target.arrivals.length === 1);
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect((await waiting).body).toEqual({ data: '', errno: 0, msg: '发送成功' });
});

test.each([-1, 3601, '5', true])('wait %j is told so', async (wait) => {
  expect((await call('hello', { wait })).body).toEqual({
    data: '',
    errno: -1,
    msg: 'wait无效: allowed: seconds from 0 to 3600',
  });
});
