// Fetching at a bigpipe whose doors are in workers: who waits at one of them, and acks at another.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { send } from '../support/messages-door.js';
import { Puller, textOf } from '../support/puller.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let puller: Puller;

beforeAll(async () => {
  const config = baseConfig({
    'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test', pull: ['G1'] }],
    'kafka.consumer.list': [baseConsumer({ delivery: 'pull', timeout: 60_000, retries: 10 })],
  });
  bigpipe = await BigpipeProcess.start({ config, env: { BIGPIPE_WORKERS: '2' } });
  puller = new Puller(bigpipe.origin);
});

afterAll(() => bigpipe.dispose());

const sent = async (body: string) => expect((await send(bigpipe, { 'bigpipe-topic': 'test' }, body)).status).toBe(202);
const untilStats = (expected: Record<string, number>) =>
  until(`the counts are ${JSON.stringify(expected)}`, async () => {
    const { pullStats } = (await bigpipe.stats()) as unknown as { pullStats: Record<string, number> };
    return Object.entries(expected).every(([name, count]) => pullStats[name] === count);
  });

test('who waits at any worker gets messages, and acks them at any', async () => {
  const waiting = Array.from({ length: 8 }, () => puller.pull({ max: 1 }));
  await untilStats({ waiting: 8 });
  for (let i = 0; i < 8; i += 1) await sent(`m${i}`);
  const messages = (await Promise.all(waiting)).flat();
  expect(messages.map(textOf).sort()).toEqual(Array.from({ length: 8 }, (_, i) => `m${i}`));
  // Each on a connection of its own.
  const acks = await Promise.all(
    messages.map(({ lease }) =>
      puller.post('ack', { leases: [lease] }, { headers: { ...puller.headers, connection: 'close' } }),
    ),
  );
  expect(acks.map(({ body }) => body)).toEqual(messages.map(() => ({ done: 1 })));
});

test('what somebody who has gone would have got goes to the next one', async () => {
  const gone = new AbortController();
  const first = puller.post('pull', { waitSeconds: 60 }, { signal: gone.signal }).catch(() => null);
  await untilStats({ waiting: 1 });
  gone.abort();
  await first;
  await sent('lost');
  const [message] = await puller.pull();
  expect([message && textOf(message), message?.redelivery]).toEqual(['lost', 'nack']);
  await puller.ack(...(message ? [message] : []));
});

test('what is wrong is told as ever, and a drain answers who waits', async () => {
  expect(await puller.post('pull', { max: 0 })).toMatchObject({ status: 400, body: { code: 'invalid-request' } });
  expect(await new Puller(bigpipe.origin, 'other').post('pull', {})).toMatchObject({ status: 403 });
  const waiting = puller.pull();
  await untilStats({ waiting: 1 });
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(await waiting).toEqual([]);
});
