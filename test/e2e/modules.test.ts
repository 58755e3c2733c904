// ktransfer's modules: messages without a URL go to a group of servers, their path made from what they say, by the method in their body.
import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const module = {
  bindings: [],
  uri: '/XXX/{#TOPIC}?key={#KEY}&transid={#TRANSID}&method={#METHOD}&partition={#PARTITION}&format=msgpack',
  headers: { Host: 'www.example.cn', 'X-From': 'bigpipe', Authorization: 'Basic of-the-module' },
  methods: ['Reply', 'pay$1now'],
  successOn: [200],
  retryOn: ['201-599'],
  rejectOn: [],
};

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 2 }],
      'commit.open.topics': ['test'],
      'kafka.consumer.list': [
        baseConsumer({ ...module, groupId: 'module_1', endpoints: [{ url: target.url('/ignored') }] }),
      ],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

async function commit(key: string, body: Uint8Array, headers: Record<string, string> = {}): Promise<void> {
  const query = new URLSearchParams({ topic: 'test', key }).toString();
  const init = { method: 'POST', body: Buffer.from(body), headers };
  expect((await fetch(`${bigpipe.origin}/commit?${query}`, init)).status).toBe(200);
}

const call = (method: string, n: number) => encode({ method, n });
const arrivalOf = (method: string, n: number): Promise<Arrival> =>
  until(`${method} ${n} arrives`, () => target.arrivals.find(({ body }) => body.equals(Buffer.from(call(method, n)))));

test('the path says what the message says, and the headers are the module’s', async () => {
  await commit('uid/1&x=#', call('Reply', 1), { 'content-type': 'application/x-msgpack' });
  const { path, headers, body } = await arrivalOf('Reply', 1);
  expect(path).toMatch(/^\/XXX\/test\?key=uid%2F1%26x%3D%23&transid=0&method=Reply&partition=[01]&format=msgpack$/);
  expect(headers).toMatchObject({
    host: 'www.example.cn',
    'x-from': 'bigpipe',
    authorization: 'Basic of-the-module',
    'content-type': 'application/x-msgpack',
  });
  expect(body.equals(Buffer.from(call('Reply', 1)))).toBe(true);
  await commit('', call('pay$1now', 2));
  expect((await arrivalOf('pay$1now', 2)).path).toContain('&method=pay%241now&');
});

test('other methods pass by, what is no msgpack map is a dead letter, and neither holds anybody', async () => {
  const before = target.arrivals.length;
  await commit('k', call('Other', 1));
  await commit('k', Buffer.from('{"method":"Reply"}'));
  await commit('k', encode({ n: 1 }));
  await commit('k', encode({ method: 7 }));
  await commit('k', Buffer.alloc(100, 0x91));
  await commit('k', call('Reply', 3));
  await arrivalOf('Reply', 3);
  expect(target.arrivals.length).toBe(before + 1);
  const { letters } = (await (await fetch(`${bigpipe.management}/dlq/test/module_1`)).json()) as {
    letters: { history: { reason: string; detail: string } }[];
  };
  expect(letters.map(({ history }) => [history.reason, history.detail])).toEqual(
    Array.from({ length: 4 }, () => ['invalid', 'the body is no msgpack map with a text under "method"']),
  );
  const rows = (await (await fetch(`${bigpipe.management}/broker/lag`)).json()) as { lag: string }[];
  await until('nothing is behind', async () => {
    const now = (await (await fetch(`${bigpipe.management}/broker/lag`)).json()) as { lag: string }[];
    return now.every(({ lag }) => lag === '0');
  });
  expect(rows).toHaveLength(2);
});

test('the same places in both partitions are two places', async () => {
  const keys = Array.from({ length: 40 }, (_, i) => `key-${i}`);
  for (const [i, key] of keys.entries()) await commit(key, call('Reply', 100 + i));
  for (const i of keys.keys()) await arrivalOf('Reply', 100 + i);
});

test('who names a URL is asked as he named it, without the module’s credentials', async () => {
  await bigpipe.call({ url: target.url('/named'), data: 'no msgpack' });
  const arrival = await until('it arrives', () => target.arrivals.find(({ path }) => path === '/named'));
  expect([arrival.headers['authorization'], arrival.headers['x-from']]).toEqual([undefined, undefined]);
  expect(arrival.headers.host).toBe(`127.0.0.1:${target.port}`);
});

test('a module’s credentials are not shown', async () => {
  const page = await (await fetch(`${bigpipe.management}/config`)).text();
  expect(page).not.toContain('of-the-module');
  expect(page).toContain('X-From');
});
