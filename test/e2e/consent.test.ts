// CloudEvents' webhook handshake over real sockets: nothing goes to a receiver that has not agreed, whatever it answers instead.
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { send } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { explain, subscriptionStats, untilBacklog } from '../support/why-waiting.js';

// One process for all; each test has a topic and groups of its own.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const origin = 'bus.example';
const topics = ['agreed', 'group', 'liars'];

let bigpipe: BigpipeProcess;
let target: TargetServer;
/** What a path answers to OPTIONS; 405 for what is not here. */
const habits = new Map<string, (response: ServerResponse, arrival: Arrival) => void>();

const agrees =
  (rate = '*', allowed = origin) =>
  (response: ServerResponse) => {
    response.writeHead(200, { allow: 'POST', 'webhook-allowed-origin': allowed, 'webhook-allowed-rate': rate });
    response.end();
  };

const cameTo = (path: string, method: string) =>
  target.arrivals.filter((one) => one.path === path && one.method === method);

async function publish(topic: string, id: string): Promise<void> {
  const { status } = await send(bigpipe, { 'bigpipe-topic': topic, 'bigpipe-message-id': id }, id);
  expect(status).toBe(202);
}

beforeAll(async () => {
  target = await TargetServer.start((arrival, response) => {
    const habit = arrival.method === 'OPTIONS' ? habits.get(arrival.path) : undefined;
    if (habit !== undefined) habit(response, arrival);
    else response.writeHead(arrival.method === 'OPTIONS' ? 405 : 200).end();
  });
  const list = [
    baseConsumer({
      topic: 'agreed',
      groupId: 'A',
      url: target.url('/agreed?key=1'),
      handshake: 'required',
      rateLimit: 50,
      headers: { authorization: 'Bearer t' },
    }),
  ];
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': topics.map((name) => ({ name, partitions: 1 })),
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'agreed', topics }],
      'kafka.consumer.list': list,
      'webhook.origin': origin,
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('a receiver is asked at its own URL, gets nothing before, and then each delivery under the name that asked', async () => {
  await publish('agreed', '1');
  await until('it has been asked', () => cameTo('/agreed?key=1', 'OPTIONS').length > 0);
  const [asked] = cameTo('/agreed?key=1', 'OPTIONS');
  expect(asked?.headers).toMatchObject({
    'webhook-request-origin': origin,
    'webhook-request-rate': '3000',
    authorization: 'Bearer t',
  });
  expect(asked?.headers).not.toHaveProperty('bigpipe-message-id');
  const waiting = await until('it waits for consent', async () => {
    const one = await explain(bigpipe, { id: '1' });
    return one.waitingFor[0]?.detail.includes('405') === true && one;
  });
  expect(waiting).toMatchObject({ attempt: 1, waitingFor: [{ reason: 'consent', until: expect.any(String) }] });
  await untilBacklog(bigpipe, { consent: 1 }, 'agreed');
  expect(cameTo('/agreed?key=1', 'POST')).toEqual([]);
  habits.set('/agreed?key=1', agrees());
  await until('it has come', () => cameTo('/agreed?key=1', 'POST').length > 0);
  await publish('agreed', '2');
  await until('both have come', () => cameTo('/agreed?key=1', 'POST').length > 1);
  for (const { headers } of cameTo('/agreed?key=1', 'POST')) {
    expect(headers).toMatchObject({ 'webhook-request-origin': origin, 'bigpipe-attempt': '1' });
  }
});

test('the endpoints of a group are asked one by one; who agrees gets all, who comes later is asked then', async () => {
  for (const path of ['/g1', '/g2']) habits.set(path, agrees());
  const document = {
    topic: 'group',
    handshake: 'required',
    endpoints: ['/g1', '/g3'].map((path) => ({ url: target.url(path) })),
  };
  expect((await manage(bigpipe, 'PUT', 'shop', document)).status).toBe(201);
  for (let i = 0; i < 6; i += 1) await publish('group', `g${i}`);
  await until('all are at the one', () => cameTo('/g1', 'POST').length === 6);
  expect(cameTo('/g3', 'OPTIONS').length).toBeGreaterThan(0);
  expect(cameTo('/g3', 'POST')).toEqual([]);
  const lease = { url: target.url('/g2'), ttlSeconds: 600 };
  expect((await manage(bigpipe, 'POST', 'shop/endpoints', lease)).status).toBe(201);
  await until('the new one takes part', async () => {
    await publish('group', `more${target.arrivals.length}`);
    return cameTo('/g2', 'POST').length > 0;
  });
  expect(cameTo('/g2', 'OPTIONS').length).toBeGreaterThan(0);
  const grpc = await manage(bigpipe, 'POST', 'shop/endpoints', { url: 'grpc://h:1/a.B/C', ttlSeconds: 600 });
  expect([grpc.status, JSON.stringify(grpc.body)]).toEqual([422, expect.stringContaining('asks for consent')]);
});

test('receivers that lie, stall, redirect or flood get nothing, and the one beside them everything', async () => {
  const grant = { 'webhook-allowed-origin': origin, 'webhook-allowed-rate': '*' };
  const liars: Record<string, (response: ServerResponse) => void> = {
    'wrong-origin': agrees('*', 'else.example'),
    'two-origins': agrees('*', `${origin}, *`),
    'rate-0': agrees('0'),
    'rate-garbage': agrees('many'),
    'no-headers': (response) => response.writeHead(200, { allow: 'OPTIONS, POST' }).end(),
    'not-allowed': (response) => response.writeHead(405, grant).end(),
    redirect: (response) => response.writeHead(307, { ...grant, location: target.url('/agreed?key=1') }).end(),
    busy: (response) => response.writeHead(503, { ...grant, 'retry-after': '3600' }).end(),
    silent: () => undefined,
    'long-head': (response) => {
      response.socket?.write(`HTTP/1.1 200 OK\r\nwebhook-allowed-origin: *\r\nwebhook-allowed-rate: *\r\nx: `);
      response.socket?.write('x'.repeat(10_000_000));
    },
    cut: (response) => response.socket?.destroy(),
  };
  for (const [name, habit] of Object.entries(liars)) habits.set(`/${name}`, habit);
  habits.set('/honest', agrees('6000'));
  // An endless body behind an honest head is a consent.
  habits.set('/long-body', (response) => {
    response.writeHead(200, grant);
    const more = () => void (response.destroyed || response.write('x'.repeat(1_000_000), more));
    more();
  });
  const paths = [...Object.keys(liars).map((name) => `/${name}`), '/honest', '/long-body'];
  const document = {
    topic: 'liars',
    handshake: 'required',
    timeout: 1000,
    endpoints: paths.map((path) => ({ url: target.url(path) })),
  };
  const made = await manage(bigpipe, 'PUT', 'liars', document);
  expect([made.status, made.body]).toEqual([201, expect.anything()]);
  for (let i = 0; i < 20; i += 1) await publish('liars', `l${i}`);
  const arrived = () => [...cameTo('/honest', 'POST'), ...cameTo('/long-body', 'POST')].length;
  await until('all have come to the honest ones', () => arrived() === 20);
  await until('everybody was asked', () => paths.every((path) => cameTo(path, 'OPTIONS').length > 0));
  await until('it is said why', async () => {
    const said = JSON.stringify((await subscriptionStats(bigpipe, 'liars')).destinations);
    return ['else.example', 'is no rate', 'without WebHook-Allowed-Origin', '405', '307'].every((word) =>
      said.includes(word),
    );
  });
  for (const path of Object.keys(liars)) expect(cameTo(`/${path}`, 'POST')).toEqual([]);
});
