// Call: the receiver's answer is the answer, within the call's own deadline; the delivery goes on whatever becomes of the call.
import { type ClientUnaryCall, type Metadata, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { asSystem1, ReflectedClient } from '../support/reflected-client.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;
let client: ReflectedClient;
/** Bodies that are answered only once this is called. */
let release: () => void;

beforeAll(async () => {
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  target = await TargetServer.start(async (arrival, response) => {
    const text = arrival.body.toString();
    if (text === 'held') await released;
    if (text === 'no') response.writeHead(410, { 'content-type': 'text/plain' }).end('gone');
    else response.writeHead(207, { 'content-type': 'text/x-own', 'x-secret': 's' }).end(`was ${text}`);
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'grpc.server.port': 0,
      'grpc.server.host': '127.0.0.1',
      'reply.max.wait': 20_000,
      'kafka.consumer.list': [baseConsumer({ timeout: 60_000, retries: 0 })],
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

const call = (body: string, fields: Record<string, unknown> = {}, deadlineMs?: number) =>
  client.ask('Call', { message: { url: target.url(), body: Buffer.from(body), ...fields } }, asSystem1, deadlineMs);

test('the answer is the receiver’s, whatever it says', async () => {
  expect(await call('a')).toEqual({
    id: expect.stringMatching(/./),
    status: 207,
    headers: [{ name: 'content-type', value: 'text/x-own' }],
    body: Buffer.from('was a'),
  });
  expect(await call('no')).toMatchObject({ status: 410, body: Buffer.from('gone') });
});

test('a message that becomes a dead letter without an answer says so', async () => {
  const gone = await TargetServer.start();
  const url = gone.url();
  await gone.close();
  expect(await client.refusal(call('x', { url }))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    message: expect.stringContaining('ECONNREFUSED'),
    details: [{ reason: 'NOT_DELIVERED' }],
  });
});

test('the caller has the id once it is stored, deadlines are kept, and the same call later gets the answer', async () => {
  const request = { message: { url: target.url(), body: Buffer.from('held'), idempotency_key: 'one' } };
  const asking = client.stub['Call']?.(request, asSystem1, () => undefined) as ClientUnaryCall;
  const stored = new Promise<Metadata>((resolve) => asking.once('metadata', resolve));
  const metadata = await stored;
  const [id] = metadata.get('bigpipe-message-id');
  expect(metadata.get('bigpipe-durability')).toEqual(['fsync']);
  asking.cancel();
  expect(await client.refusal(client.ask('Call', request, asSystem1, 500))).toMatchObject({
    code: status.DEADLINE_EXCEEDED,
  });
  await until('nobody waits any more', async () => {
    const { replyStats } = (await bigpipe.stats()) as unknown as { replyStats: { waiting: number } };
    return replyStats.waiting === 0;
  });
  release();
  expect(await client.ask('Call', request)).toMatchObject({ id, status: 207, body: Buffer.from('was held') });
  expect(target.arrivals.length).toBe(1);
});
