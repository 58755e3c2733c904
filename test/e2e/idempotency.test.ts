// The same call again under an idempotency key is answered as before and delivered once, on every door.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { goodCaller, idOf, problemOf, send, sendJson, sendLines } from '../support/messages-door.js';
import { type RawAnswer, rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.consumer.list': [baseConsumer({ url: target.url() })],
      'kafka.producer.acl': [
        { name: 'system-1', secret: 'i am good', topic: 'test' },
        { name: 'system-2', secret: 'i am good', topic: 'test' },
      ],
      'idempotency.max.keys': 1000,
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

interface Door {
  readonly send: (key: string, body: string) => Promise<RawAnswer>;
  readonly stored: number;
  readonly mismatch: number;
}

const rpc = (key: string, data: string) => {
  const call = { acl: { name: 'system-1', secret: 'i am good' }, url: target.url(), data, partition_key: '' };
  return rawRequest(`${bigpipe.origin}/rpc/call`, {
    headers: { 'idempotency-key': key },
    body: [Buffer.from(JSON.stringify(call))],
  });
};

const doors: [string, Door][] = [
  ['POST /rpc/call', { send: rpc, stored: 200, mismatch: 200 }],
  [
    'POST /commit',
    {
      send: (key, body) =>
        rawRequest(`${bigpipe.origin}/commit?topic=test`, {
          headers: { authorization: goodCaller, 'idempotency-key': key },
          body: [Buffer.from(body)],
        }),
      stored: 200,
      mismatch: 422,
    },
  ],
  [
    'POST /v1/messages',
    {
      send: (key, body) =>
        send(bigpipe, { 'bigpipe-url': target.url(), 'idempotency-key': key, 'bigpipe-delay': '10ms' }, body),
      stored: 202,
      mismatch: 422,
    },
  ],
  [
    'POST /v1/messages in JSON',
    {
      send: (key, data) => sendJson(bigpipe, { url: target.url(), data, idempotency_key: key }),
      stored: 202,
      mismatch: 422,
    },
  ],
];

const arrivals = (body: string) => target.arrivals.filter((arrival) => arrival.body.toString() === body);

describe.each(doors)('%s', (name, door) => {
  test('the same again: the first answer, and one delivery', async () => {
    const body = `again ${name}`;
    // The two ways to write a key in a header are one key; in JSON the key is part of the payload.
    const third = name.endsWith('JSON') ? `"${body}"` : body;
    const answers: RawAnswer[] = [];
    for (const key of [`"${body}"`, `"${body}"`, third]) answers.push(await door.send(key, body));
    expect(answers.map(({ status }) => status)).toEqual([door.stored, door.stored, door.stored]);
    expect(new Set(answers.map(idOf)).size).toBe(1);
    expect(answers.map(({ text }) => text)).toEqual(answers.map(() => answers[0]?.text));
    expect(answers.map(({ headers }) => headers['idempotency-replayed'])).toEqual([
      undefined,
      ...answers.slice(1).map(() => 'true'),
    ]);
    for (const { headers } of answers) expect(headers['bigpipe-idempotency-scope']).toBe('node');
    expect(new Set(answers.map(({ headers }) => headers['bigpipe-durability'])).size).toBe(1);
    await until('it arrives', () => arrivals(body).length > 0);
  });

  test('something else under the same key is refused', async () => {
    const key = `other ${name}`;
    await door.send(key, `one ${name}`);
    const answer = await door.send(key, `two ${name}`);
    expect(answer.status).toBe(door.mismatch);
    expect(answer.headers['bigpipe-message-id']).toBeUndefined();
    if (answer.headers['content-type'] === 'application/problem+json; charset=utf-8')
      expect(problemOf(answer).code).toBe('idempotency-mismatch');
    else expect(answer.headers['bigpipe-error']).toBe('idempotency-mismatch');
  });

  test('many at once: one is stored, the others are told so or that it is under way', async () => {
    const body = `at once ${name}`;
    const answers = await Promise.all(Array.from({ length: 20 }, () => door.send(body, body)));
    const ids = new Set(answers.map(idOf).filter((id) => id !== undefined));
    expect(ids.size).toBe(1);
    for (const { status, headers } of answers) {
      if (headers['bigpipe-message-id'] !== undefined) expect(status).toBe(door.stored);
      else if (door.stored === 202) expect([status, headers['retry-after']]).toEqual([409, '1']);
      else expect(headers['bigpipe-error']).toBe('idempotency-in-progress');
    }
    await until('it arrives', () => arrivals(body).length > 0);
    expect(arrivals(body)).toHaveLength(1);
  });
});

test('in a batch each line has its own', async () => {
  const line = (data: string, key: string) => ({ url: target.url(), data, idempotency_key: key });
  const first = await sendLines(bigpipe, [line('l1', 'k1'), line('l2', 'k2'), line('l1', 'k1')]);
  expect(first.lines.map(({ status }) => status)).toEqual([202, 202, 409]);
  const second = await sendLines(bigpipe, [line('l1', 'k1'), line('else', 'k2'), line('l3', 'k3')]);
  expect(second.lines.map(({ status, replayed }) => [status, replayed])).toEqual([
    [202, true],
    [422, undefined],
    [202, undefined],
  ]);
  expect(second.lines[0]?.id).toBe(first.lines[0]?.id);
});

test('a key is its caller’s own', async () => {
  const fields = { url: target.url(), data: 'whose', idempotency_key: 'whose' };
  const [mine, yours] = [
    await sendJson(bigpipe, fields),
    await sendJson(bigpipe, fields, { authorization: `Basic ${Buffer.from('system-2:i am good').toString('base64')}` }),
  ];
  expect(idOf(mine)).not.toBe(idOf(yours));
});

test('what was refused has used up no key', async () => {
  const bad = await sendJson(bigpipe, { url: 'x', idempotency_key: 'refused' });
  const good = await sendJson(bigpipe, { url: target.url(), data: 'mended', idempotency_key: 'refused' });
  expect([bad.status, good.status]).toEqual([400, 202]);
});

test('acks 0 too', async () => {
  const fields = { url: target.url(), data: 'weak', acks: 0, idempotency_key: 'weak' };
  const answers = [await sendJson(bigpipe, fields), await sendJson(bigpipe, fields)];
  expect(answers.map(({ headers }) => headers['bigpipe-durability'])).toEqual(['none', 'none']);
  expect(new Set(answers.map(idOf)).size).toBe(1);
});

test('of too many keys the oldest are forgotten, and counted', async () => {
  const first = await sendJson(bigpipe, { url: target.url(), data: 'oldest', idempotency_key: 'oldest' });
  const lines = Array.from({ length: 1000 }, (_, i) => ({
    url: target.url(),
    data: 'x',
    idempotency_key: `many ${i}`,
  }));
  expect((await sendLines(bigpipe, lines)).status).toBe(200);
  const stats = (await bigpipe.stats()) as unknown as { idempotencyStats: { keys: number; evicted: number } };
  expect(stats.idempotencyStats.keys).toBe(1000);
  expect(stats.idempotencyStats.evicted).toBeGreaterThan(0);
  const again = await sendJson(bigpipe, { url: target.url(), data: 'oldest', idempotency_key: 'oldest' });
  expect([again.status, idOf(again) === idOf(first)]).toEqual([202, false]);
});
