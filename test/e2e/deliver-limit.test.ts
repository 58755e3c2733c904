// What a caller, and a topic, may bound: attempts of a message, messages of a topic; and what expires while nobody fetches it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { askManagement, type Letter } from '../support/dead-letters-page.js';
import { goodCaller, idOf, problemOf, send, sendJson } from '../support/messages-door.js';
import { Puller } from '../support/puller.js';
import { rawRequest } from '../support/raw-request.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeAll(async () => {
  target = await TargetServer.start((_arrival, response) => {
    response.writeHead(500).end();
  });
  const names = ['test', 'narrow', 'fetched'];
  const config = {
    'kafka.topics': names.map((name) => ({
      name,
      partitions: 1,
      ...(name === 'narrow' ? { rateLimit: 0.001, burst: 2 } : {}),
    })),
    'kafka.producer.acl': [
      { name: 'system-1', secret: 'i am good', topic: 'test', topics: names.slice(1), pull: ['G2'] },
    ],
    'kafka.consumer.list': [
      baseConsumer({ retries: 99, retryBackoff: 'kiteq' }),
      baseConsumer({ topic: 'fetched', groupId: 'G2', delivery: 'pull' }),
    ],
  };
  bigpipe = await BigpipeProcess.start({ config: baseConfig(config) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const commit = (query: string, headers: Record<string, string> = {}) =>
  rawRequest(`${bigpipe.origin}/commit?${query}`, {
    headers: { authorization: goodCaller, ...headers },
    body: [Buffer.from('x')],
  });

async function letterOf(place: string, id: string): Promise<Letter> {
  return until(`${id} is a dead letter`, async () => {
    const { answer } = await askManagement(bigpipe, 'GET', `/dlq/${place}`);
    return (answer as { letters: Letter[] }).letters.find((letter) => letter.id === id);
  });
}

test('every door takes a limit of attempts, and 1 and 2 are honoured', async () => {
  const url = target.url();
  const ids = { one: 'limit-1', two: 'limit-2', rpc: 'limit-rpc', commit: 'limit-commit' };
  await send(bigpipe, { 'bigpipe-url': url, 'bigpipe-message-id': ids.one, 'bigpipe-deliver-limit': '1' });
  await sendJson(bigpipe, { url, id: ids.two, deliver_limit: 2 });
  expect((await bigpipe.call({ url, id: ids.rpc, deliver_limit: 1 })).body.errno).toBe(0);
  const headers = { 'bigpipe-message-id': ids.commit, 'bigpipe-deliver-limit': '1' };
  expect((await commit('topic=test', headers)).status).toBe(200);
  const attempts = { one: '1', two: '2', rpc: '1' };
  for (const [name, count] of Object.entries(attempts)) {
    const { history } = await letterOf('test/G1', ids[name as keyof typeof ids]);
    expect([name, history['reason'], history['attempts']]).toEqual([name, 'exhausted', count]);
  }
  const seen = target.arrivals.map(({ headers: got }) => [got['bigpipe-message-id'], got['bigpipe-max-attempts']]);
  expect(seen.filter(([id]) => id === ids.two)).toEqual([
    [ids.two, '2'],
    [ids.two, '2'],
  ]);
});

test('a limit that is none is told', async () => {
  const url = target.url();
  expect(problemOf(await send(bigpipe, { 'bigpipe-url': url, 'bigpipe-deliver-limit': '0' })).errors).toEqual([
    { detail: 'allowed: a whole number from 1 to 1001', header: 'bigpipe-deliver-limit' },
  ]);
  expect(problemOf(await sendJson(bigpipe, { url, deliver_limit: 1.5 })).errors).toMatchObject([
    { pointer: '#/deliver_limit' },
  ]);
  expect((await bigpipe.call({ url, deliver_limit: -1 })).body.msg).toContain('deliver_limit无效');
  expect((await commit('topic=test', { 'bigpipe-deliver-limit': 'many' })).status).toBe(400);
});

test('a topic that has taken its share takes no more, on any door, and others do', async () => {
  const narrow = { 'bigpipe-topic': 'narrow' };
  expect([(await send(bigpipe, narrow)).status, (await commit('topic=narrow')).status]).toEqual([202, 200]);
  const refused = await send(bigpipe, narrow);
  expect([refused.status, refused.headers['retry-after'], problemOf(refused).code]).toEqual([503, '1', 'overloaded']);
  expect((await commit('topic=narrow')).status).toBe(503);
  const lines = ['{"topic":"narrow"}', '{"topic":"fetched","deliver_limit":1}'].join('\n');
  const headers = { authorization: goodCaller, 'content-type': 'application/x-ndjson' };
  const { text } = await rawRequest(`${bigpipe.origin}/v1/messages:batch`, { headers, body: [Buffer.from(lines)] });
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { status: number }).status),
  ).toEqual([503, 202]);
});

test('what expires while nobody fetches it becomes a dead letter that says so', async () => {
  const puller = new Puller(bigpipe.origin, 'G2');
  for (const { lease } of await puller.pull({ waitSeconds: 0 })) await puller.post('ack', { leases: [lease] });
  const id = idOf(await send(bigpipe, { 'bigpipe-topic': 'fetched', 'bigpipe-expires': '50ms' }));
  const late = Date.now() + 50;
  await until('its time is over', () => Date.now() > late);
  expect(await puller.pull({ waitSeconds: 1 })).toEqual([]);
  const { history } = await letterOf('fetched/G2', id);
  expect([history['reason'], history['attempts']]).toEqual(['expired', '0']);
});
