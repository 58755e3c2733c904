// Subscriptions and endpoints that are registered while bigpipe runs: answers, effect, memory, and what becomes of who stays away.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { replaceConfig, untilCounted } from '../support/live-config.js';
import { send } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

// One process for all, since a start is what takes long; each test has a topic and groups of its own.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const topics = ['versions', 'race', 'refused', 'leases', 'starts', 'replays'];

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: config() });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

function config(more: Config[] = []): Config {
  const own = baseConsumer({ topic: 'refused', groupId: 'own', url: target.url('/own') });
  const replayed = ['replayed', 'beside'].map((groupId) =>
    baseConsumer({ topic: 'replays', groupId, url: target.url(`/${groupId}`) }),
  );
  return baseConfig({
    'kafka.topics': topics.map((name) => ({ name, partitions: name === 'starts' || name === 'replays' ? 1 : 3 })),
    'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'versions', topics }],
    'kafka.consumer.list': [own, ...replayed, ...more],
  });
}

async function publish(topic: string, id: string, headers: Record<string, string> = {}): Promise<void> {
  const { status } = await send(bigpipe, { 'bigpipe-topic': topic, 'bigpipe-message-id': id, ...headers }, id);
  expect(status).toBe(202);
}

const cameTo = (path: string) => target.arrivals.filter((one) => one.path === path).map(({ body }) => body.toString());

const untilCame = (path: string, ...ids: string[]) =>
  until(`${ids.join()} came to ${path}`, () => ids.every((id) => cameTo(path).includes(id)));

const ofType = (type: string) => ({
  topic: 'versions',
  bindings: [{ kind: 'direct', type }],
  endpoints: [{ url: target.url('/a') }],
  retries: 3,
});

test('a subscription is registered, read, changed and deleted; a stale version changes nothing', async () => {
  const tried = await manage(bigpipe, 'PUT', 'shop?dryRun=true', ofType('paid'));
  expect([tried.status, tried.etag]).toEqual([201, null]);
  expect((await manage(bigpipe, 'GET', 'shop')).status).toBe(404);

  const made = await manage(bigpipe, 'PUT', 'shop', ofType('paid'), { 'if-none-match': '*' });
  expect(made.status).toBe(201);
  await publish('versions', '1', { 'bigpipe-type': 'paid' });
  await publish('versions', '2', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '1');
  // Read while it was not wanted.
  await untilStats(bigpipe, 'the other is passed over', ({ consumerStats }) =>
    consumerStats.some(({ groupId, passedOver }) => groupId === 'shop' && passedOver === 1),
  );
  const read = await manage(bigpipe, 'GET', 'shop');
  expect(read).toMatchObject({ status: 200, etag: made.etag, body: { source: 'registered', inForce: true } });

  const changed = await manage(bigpipe, 'PUT', 'shop', ofType('sent'), { 'if-match': made.etag as string });
  expect(changed.status).toBe(200);
  expect(changed.etag).not.toBe(made.etag);
  await publish('versions', '3', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '3');
  const stale: Record<string, string>[] = [
    { 'if-match': made.etag as string },
    { 'if-none-match': '*' },
    { 'if-match': 'W/"x"' },
  ];
  for (const headers of stale) {
    expect((await manage(bigpipe, 'PUT', 'shop', ofType('paid'), headers)).status).toBe(412);
    expect((await manage(bigpipe, 'DELETE', 'shop', undefined, headers)).status).toBe(412);
  }
  expect(cameTo('/a')).not.toContain('2');
});

test('of many who build on the same version one wins', async () => {
  const document = (retries: number) => ({ topic: 'race', retries });
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
  const refusals: [number, string, unknown, string][] = [
    [422, 'g', { topic: 'nowhere' }, `allowed: a topic of kafka.topics (${topics.join(', ')})`],
    [422, 'g', { topic: 'refused', retrys: 3 }, 'did you mean subscription.retries'],
    [422, 'g', { topic: 'refused', bindings: [{ kind: 'regex', type: '(x{1000}){1000}' }] }, 'invalid repeat count'],
    [
      422,
      'g',
      {
        topic: 'refused',
        endpoints: Array.from({ length: 10_000 }, (_, i) => ({ url: `http://h/${i}` })).slice(0, 300),
      },
      'at most 256',
    ],
    [422, 'g', { topic: 'refused', groupId: 'h' }, 'as in the path'],
    [422, 'g', { topic: 'refused', signing: { secrets: [] } }, 'in the configuration file only'],
    [422, 'a b', { topic: 'refused' }, 'allowed: 1 to 100'],
    [422, 'g', [], 'no JSON object'],
    [413, 'g', { topic: 'refused', filters: [{ exact: { type: 'x'.repeat(100_000) } }] }, 'allowed: at most 65536'],
    [409, 'own', { topic: 'refused' }, 'the file wins'],
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
  await manage(bigpipe, 'PUT', 'late', { topic: 'refused', endpoints: [{ url: target.url('/registered') }] });
  await replaceConfig(bigpipe, config([baseConsumer({ topic: 'refused', groupId: 'late', url: target.url('/file') })]));
  await untilCounted(bigpipe, 'changed', 1);
  const page = await until('it says so', async () => {
    const { body } = await manage(bigpipe, 'GET', 'late');
    return body['inForce'] === false && body;
  });
  expect(page['why']).toContain('the file wins');
  await publish('refused', '1');
  await untilCame('/file', '1');
  expect(cameTo('/registered')).toEqual([]);
});

describe('endpoints with a lease', () => {
  const lease = (group: string, path: string, ttlSeconds: number, more: object = {}) =>
    manage(bigpipe, 'POST', `${group}/endpoints`, { url: target.url(path), ttlSeconds, ...more });

  test('come, are renewed, and go; what a durable group missed comes later, what the other missed is dropped', async () => {
    await publish('leases', 'before');
    await manage(bigpipe, 'PUT', 'keeps', { topic: 'leases' });
    await manage(bigpipe, 'PUT', 'drops', { topic: 'leases', durable: false });
    await publish('leases', 'away');
    await untilStats(bigpipe, 'it is dropped', ({ clientStats }) => clientStats['leases']?.['dropped'] === 1);
    expect((await lease('keeps', '/k', 60)).status).toBe(201);
    expect((await lease('drops', '/d', 60)).status).toBe(201);
    await untilCame('/k', 'before', 'away');
    await publish('leases', 'there');
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
    await publish('leases', 'alone');
    await untilStats(bigpipe, 'it is dropped', ({ clientStats }) => clientStats['leases']?.['dropped'] === 2);
    expect(cameTo('/k')).not.toContain('alone');

    await lease('keeps', '/k', 3600);
    await untilCame('/k', 'alone');
  });

  test('are refused where there is no group for them, or no room', async () => {
    expect((await lease('nobody', '/k', 60)).status).toBe(404);
    expect((await lease('own', '/k', 60)).status).toBe(409);
    await manage(bigpipe, 'PUT', 'g', { topic: 'leases' });
    expect((await manage(bigpipe, 'POST', 'g/endpoints', { url: 'nonsense' })).status).toBe(422);
    expect((await lease('g', '/k', 0)).status).toBe(400);
  });
});

test('a new group starts where it says, and goes on from its mark when it is registered again', async () => {
  for (const id of ['0', '1', '2']) await publish('starts', id);
  const group = (startAt: unknown, path: string) => ({
    topic: 'starts',
    startAt,
    endpoints: [{ url: target.url(path) }],
  });
  await manage(bigpipe, 'PUT', 'earliest', group('earliest', '/earliest'));
  await manage(bigpipe, 'PUT', 'latest', group('latest', '/latest'));
  await manage(bigpipe, 'PUT', 'two', group(2, '/two'));
  await manage(bigpipe, 'PUT', 'time', group('2020-01-01T00:00:00Z', '/time'));
  await publish('starts', '3');
  for (const path of ['/earliest', '/latest', '/two', '/time']) await untilCame(path, '3');
  expect(cameTo('/earliest').sort()).toEqual(['0', '1', '2', '3']);
  expect(cameTo('/time').sort()).toEqual(['0', '1', '2', '3']);
  expect(cameTo('/two').sort()).toEqual(['2', '3']);
  expect(cameTo('/latest')).toEqual(['3']);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['starts']?.['rpcSuccess'] === 11);
  await manage(bigpipe, 'DELETE', 'latest');
  await publish('starts', '4');
  await untilCame('/two', '4');
  await manage(bigpipe, 'PUT', 'latest', group('latest', '/latest'));
  await untilCame('/latest', '4');
});

test('a kill forgets neither registrations nor leases', async () => {
  const { etag } = await manage(bigpipe, 'PUT', 'shop', { ...ofType('sent'), retries: 4 });
  await manage(bigpipe, 'POST', 'keeps/endpoints', { url: target.url('/k2'), ttlSeconds: 3600, weight: 1000 });
  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  expect((await manage(bigpipe, 'GET', 'shop')).etag).toBe(etag);
  await publish('versions', '4', { 'bigpipe-type': 'sent' });
  await untilCame('/a', '4');
  const { body } = await manage(bigpipe, 'GET', 'keeps');
  expect((body['endpoints'] as { url: string }[]).map(({ url }) => url).sort()).toEqual(
    ['/k', '/k2'].map((path) => target.url(path)),
  );
  for (let i = 0; i < 4; i += 1) await publish('leases', `after-${i}`);
  await until(
    'all have come',
    () =>
      cameTo('/k')
        .concat(cameTo('/k2'))
        .filter((id) => id.startsWith('after')).length === 4,
  );

  expect((await manage(bigpipe, 'DELETE', 'shop')).status).toBe(204);
  expect((await manage(bigpipe, 'GET', 'shop')).status).toBe(404);
  expect((await manage(bigpipe, 'PUT', 'shop', ofType('paid'), { 'if-match': etag as string })).status).toBe(412);
});

test('a range is replayed to one group only, and never again', async () => {
  for (let i = 0; i < 6; i += 1) await publish('replays', `${i}`);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['replays']?.['rpcSuccess'] === 12);
  const wrong = await manage(bigpipe, 'POST', 'replays/replayed/replay', { from: 3, to: 2 });
  expect(wrong.status).toBe(409);
  const { status, body } = await manage(bigpipe, 'POST', 'replays/replayed/replay', { from: 1, to: 3 });
  expect([status, body]).toEqual([200, { partition: 0, from: '1', to: '3' }]);
  await publish('replays', '6');
  await until('the range has come again', () => cameTo('/replayed').length === 9 && cameTo('/beside').length === 7);
  expect(cameTo('/replayed').sort()).toEqual(['0', '1', '1', '2', '2', '3', '4', '5', '6']);
  expect(new Set(cameTo('/beside')).size).toBe(7);
  await untilStats(bigpipe, 'all is settled', ({ clientStats }) => clientStats['replays']?.['rpcSuccess'] === 16);
  await bigpipe.end('SIGTERM');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await publish('replays', '7');
  await until('the newest has come', () => cameTo('/replayed').includes('7'));
  expect(cameTo('/replayed')).toHaveLength(10);
});
