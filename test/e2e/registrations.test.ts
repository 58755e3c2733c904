// Subscriptions and endpoints that are registered while bigpipe runs: answers, effect, memory, and what becomes of who stays away.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { replaceConfig, untilCounted } from '../support/live-config.js';
import { send } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

// Several starts of a process each.
vi.setConfig({ testTimeout: 180_000 });

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeEach(async () => {
  target = await TargetServer.start();
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const config = (consumers: Config[] = []): Config => baseConfig({ 'kafka.consumer.list': consumers });

async function publish(id: string, headers: Record<string, string> = {}): Promise<void> {
  const { status } = await send(bigpipe, { 'bigpipe-topic': 'test', 'bigpipe-message-id': id, ...headers }, id);
  expect(status).toBe(202);
}

const cameTo = (path: string) => target.arrivals.filter((one) => one.path === path).map(({ body }) => body.toString());

const untilCame = (path: string, ...ids: string[]) =>
  until(`${ids.join()} came to ${path}`, () => ids.every((id) => cameTo(path).includes(id)));

test('a subscription is registered, read, changed and deleted; a stale version changes nothing; a kill forgets nothing', async () => {
  bigpipe = await BigpipeProcess.start({ config: config() });
  const document = (type: string) => ({
    topic: 'test',
    bindings: [{ kind: 'direct', type }],
    endpoints: [{ url: target.url('/a') }],
    retries: 3,
  });
  const tried = await manage(bigpipe, 'PUT', 'shop?dryRun=true', document('paid'));
  expect([tried.status, tried.etag]).toEqual([201, null]);
  expect((await manage(bigpipe, 'GET', 'shop')).status).toBe(404);

  const made = await manage(bigpipe, 'PUT', 'shop', document('paid'), { 'if-none-match': '*' });
  expect(made.status).toBe(201);
  await publish('1', { 'bigpipe-type': 'paid' });
  await publish('2', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '1');
  const read = await manage(bigpipe, 'GET', 'shop');
  expect(read).toMatchObject({ status: 200, etag: made.etag, body: { source: 'registered', inForce: true } });

  const changed = await manage(bigpipe, 'PUT', 'shop', document('sent'), { 'if-match': made.etag as string });
  expect(changed.status).toBe(200);
  expect(changed.etag).not.toBe(made.etag);
  await publish('3', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '3');
  const stale: Record<string, string>[] = [
    { 'if-match': made.etag as string },
    { 'if-none-match': '*' },
    { 'if-match': 'W/"x"' },
  ];
  for (const headers of stale) {
    expect((await manage(bigpipe, 'PUT', 'shop', document('paid'), headers)).status).toBe(412);
    expect((await manage(bigpipe, 'DELETE', 'shop', undefined, headers)).status).toBe(412);
  }

  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  expect((await manage(bigpipe, 'GET', 'shop')).etag).toBe(changed.etag);
  await publish('4', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '4');
  expect(cameTo('/a')).not.toContain('2');

  expect((await manage(bigpipe, 'DELETE', 'shop')).status).toBe(204);
  expect((await manage(bigpipe, 'GET', 'shop')).status).toBe(404);
  expect((await manage(bigpipe, 'PUT', 'shop', document('paid'), { 'if-match': changed.etag as string })).status).toBe(
    412,
  );
});

test('of many who build on the same version one wins', async () => {
  bigpipe = await BigpipeProcess.start({ config: config() });
  const document = (retries: number) => ({ topic: 'test', retries });
  const { etag } = await manage(bigpipe, 'PUT', 'race', document(0));
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      manage(bigpipe, 'PUT', 'race', document(i + 1), { 'if-match': etag as string }),
    ),
  );
  const winners = answers.flatMap(({ status }, i) => (status === 200 ? [i + 1] : []));
  expect(winners).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 412)).toHaveLength(11);
  expect((await manage(bigpipe, 'GET', 'race')).body['subscription']).toEqual(document(winners[0] as number));
});

test('what cannot be is refused with every reason, and the file wins', async () => {
  const own = baseConsumer({ groupId: 'own', url: target.url('/own') });
  bigpipe = await BigpipeProcess.start({ config: config([own]) });
  const refusals: [number, string, unknown, string][] = [
    [422, 'g', { topic: 'nowhere' }, 'allowed: a topic of kafka.topics (test)'],
    [422, 'g', { topic: 'test', retrys: 3 }, 'did you mean subscription.retries'],
    [422, 'g', { topic: 'test', bindings: [{ kind: 'regex', type: '(x{1000}){1000}' }] }, 'invalid repeat count'],
    [
      422,
      'g',
      { topic: 'test', endpoints: Array.from({ length: 10_000 }, (_, i) => ({ url: `http://h/${i}` })).slice(0, 300) },
      'at most 256',
    ],
    [422, 'g', { topic: 'test', groupId: 'h' }, 'as in the path'],
    [422, 'g', { topic: 'test', signing: { secrets: [] } }, 'in the configuration file only'],
    [422, 'a b', { topic: 'test' }, 'allowed: 1 to 100'],
    [422, 'g', [], 'no JSON object'],
    [413, 'g', { topic: 'test', filters: [{ exact: { type: 'x'.repeat(100_000) } }] }, 'allowed: at most 65536'],
    [409, 'own', { topic: 'test' }, 'the file wins'],
  ];
  for (const [status, group, document, why] of refusals) {
    const answer = await manage(bigpipe, 'PUT', encodeURIComponent(group), document);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([status, expect.stringContaining(why)]);
  }
  // Who goes on sending may see the connection break before he reads why.
  const long = manage(bigpipe, 'PUT', 'g', JSON.stringify({ topic: 'x'.repeat(10_000_000) }));
  expect(await long.then(({ status }) => status).catch(() => 413)).toBe(413);
  expect((await manage(bigpipe, 'DELETE', 'own')).status).toBe(409);
  expect(await manage(bigpipe, 'GET', 'own')).toMatchObject({ status: 200, etag: null, body: { source: 'file' } });

  // Registered first, and then named by the file.
  await manage(bigpipe, 'PUT', 'late', { topic: 'test', endpoints: [{ url: target.url('/registered') }] });
  await replaceConfig(bigpipe, config([own, baseConsumer({ groupId: 'late', url: target.url('/file') })]));
  await untilCounted(bigpipe, 'changed', 1);
  const page = await until('it says so', async () => {
    const { body } = await manage(bigpipe, 'GET', 'late');
    return body['inForce'] === false && body;
  });
  expect(page['why']).toContain('the file wins');
  await publish('1');
  await untilCame('/file', '1');
  expect(cameTo('/registered')).toEqual([]);
});

describe('endpoints with a lease', () => {
  const lease = (group: string, path: string, ttlSeconds: number, more: object = {}) =>
    manage(bigpipe, 'POST', `${group}/endpoints`, { url: target.url(path), ttlSeconds, ...more });

  test('come, are renewed, and go; what a durable group missed comes later, what the other missed is dropped', async () => {
    bigpipe = await BigpipeProcess.start({ config: config() });
    await publish('before');
    await manage(bigpipe, 'PUT', 'keeps', { topic: 'test' });
    await manage(bigpipe, 'PUT', 'drops', { topic: 'test', durable: false });
    await publish('away');
    await untilStats(bigpipe, 'it is dropped', ({ clientStats }) => clientStats['test']?.['dropped'] === 1);
    expect((await lease('keeps', '/k', 60)).status).toBe(201);
    expect((await lease('drops', '/d', 60)).status).toBe(201);
    await untilCame('/k', 'before', 'away');
    await publish('there');
    await untilCame('/k', 'there');
    await untilCame('/d', 'there');
    // A new group that is not durable began at the end.
    expect(cameTo('/d')).toEqual(['there']);

    expect((await lease('keeps', '/k', 1, { weight: 2 })).status).toBe(200);
    const path = `drops/endpoints?url=${encodeURIComponent(target.url('/d'))}`;
    expect((await manage(bigpipe, 'DELETE', path)).status).toBe(204);
    await until(
      'the lease has ended',
      async () => ((await manage(bigpipe, 'GET', 'keeps')).body['endpoints'] as []).length === 0,
    );
    await publish('alone');
    await untilStats(bigpipe, 'it is dropped', ({ clientStats }) => clientStats['test']?.['dropped'] === 2);
    expect(cameTo('/k')).not.toContain('alone');

    // Leases are remembered like registrations.
    await lease('keeps', '/k', 3600);
    await untilCame('/k', 'alone');
    await bigpipe.end('SIGKILL');
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    await publish('after');
    await untilCame('/k', 'after');
  });

  test('are refused where there is no group for them, or no room', async () => {
    bigpipe = await BigpipeProcess.start({
      config: config([baseConsumer({ groupId: 'own', url: target.url('/own') })]),
    });
    expect((await lease('nobody', '/k', 60)).status).toBe(404);
    expect((await lease('own', '/k', 60)).status).toBe(409);
    await manage(bigpipe, 'PUT', 'g', { topic: 'test' });
    expect((await manage(bigpipe, 'POST', 'g/endpoints', { url: 'nonsense' })).status).toBe(422);
    expect((await lease('g', '/k', 0)).status).toBe(400);
  });
});

test('a new group starts where it says, and goes on from its mark when it is registered again', async () => {
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.topics': [{ name: 'test', partitions: 1 }], 'kafka.consumer.list': [] }),
  });
  for (const id of ['0', '1', '2']) await publish(id);
  const group = (startAt: unknown, path: string) => ({
    topic: 'test',
    startAt,
    endpoints: [{ url: target.url(path) }],
  });
  await manage(bigpipe, 'PUT', 'earliest', group('earliest', '/earliest'));
  await manage(bigpipe, 'PUT', 'latest', group('latest', '/latest'));
  await manage(bigpipe, 'PUT', 'two', group(2, '/two'));
  await manage(bigpipe, 'PUT', 'time', group('2020-01-01T00:00:00Z', '/time'));
  await publish('3');
  for (const path of ['/earliest', '/latest', '/two', '/time']) await untilCame(path, '3');
  expect(cameTo('/earliest').sort()).toEqual(['0', '1', '2', '3']);
  expect(cameTo('/time').sort()).toEqual(['0', '1', '2', '3']);
  expect(cameTo('/two').sort()).toEqual(['2', '3']);
  expect(cameTo('/latest')).toEqual(['3']);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['test']?.['rpcSuccess'] === 11);
  await manage(bigpipe, 'DELETE', 'latest');
  await publish('4');
  await untilCame('/two', '4');
  await manage(bigpipe, 'PUT', 'latest', group('latest', '/latest'));
  await untilCame('/latest', '4');
});

test('a range is replayed to one group only, and never again', async () => {
  const consumers = ['one', 'two'].map((groupId) => baseConsumer({ groupId, url: target.url(`/${groupId}`) }));
  const topics = { 'kafka.topics': [{ name: 'test', partitions: 1 }] };
  bigpipe = await BigpipeProcess.start({ config: { ...config(consumers), ...topics } });
  for (let i = 0; i < 6; i += 1) await publish(`${i}`);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['test']?.['rpcSuccess'] === 12);
  const wrong = await manage(bigpipe, 'POST', 'test/one/replay', { from: 3, to: 2 });
  expect(wrong.status).toBe(409);
  const { status, body } = await manage(bigpipe, 'POST', 'test/one/replay', { from: 1, to: 3 });
  expect([status, body]).toEqual([200, { partition: 0, from: '1', to: '3' }]);
  await publish('6');
  await until('the range has come again', () => cameTo('/one').length === 9 && cameTo('/two').length === 7);
  expect(cameTo('/one').sort()).toEqual(['0', '1', '1', '2', '2', '3', '4', '5', '6']);
  expect(new Set(cameTo('/two')).size).toBe(7);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['test']?.['rpcSuccess'] === 16);
  await bigpipe.end('SIGTERM');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await publish('7');
  await until('the newest has come', () => cameTo('/one').includes('7'));
  expect(cameTo('/one')).toHaveLength(10);
});
