// Two nodes and one Redis: one limit and one set of keys for both; without Redis each goes on by itself, and says so.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { idOf, send, sendJson, sendLines } from '../support/messages-door.js';
import { MetricsPage } from '../support/metrics-page.js';
import type { RawAnswer } from '../support/raw-request.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const perSecond = 20;
const burst = 5;

describe.skipIf(!hasRedis)('two nodes', () => {
  let redis: RedisServer;
  let target: TargetServer;
  let nodes: [BigpipeProcess, BigpipeProcess];

  beforeAll(async () => {
    [redis, target] = await Promise.all([RedisServer.start(), TargetServer.start()]);
    const config = baseConfig({
      'redis.url': redis.url,
      'message.ids': 'counter',
      'kafka.topics': ['test', 'slow'].map((name) => ({ name, partitions: 3 })),
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test', topics: ['slow'] }],
      'kafka.consumer.list': [
        baseConsumer(),
        baseConsumer({ topic: 'slow', rateLimit: perSecond, burst, rateLimitScope: 'cluster' }),
      ],
    });
    nodes = (await Promise.all([0, 1].map(() => BigpipeProcess.start({ config })))) as typeof nodes;
  });

  afterAll(async () => {
    await Promise.all([...nodes.map((node) => node.dispose()), target.close(), redis.kill()]);
  });

  interface Shared {
    readonly scope: string;
    readonly ok: boolean;
    readonly losses: number;
  }
  const sharedOf = async (node: BigpipeProcess) =>
    ((await node.stats()) as unknown as { sharedStateStats: Shared }).sharedStateStats;
  const bothAre = (ok: boolean) =>
    until(`Redis is ${ok ? 'well' : 'away'} for both`, async () => {
      const seen = await Promise.all(nodes.map(sharedOf));
      return seen.every((one) => one.ok === ok);
    });
  const healthOf = async (node: BigpipeProcess) => {
    const response = await fetch(`${node.management}/health`);
    const { details } = (await response.json()) as { details: Record<string, { status: string; detail: string }> };
    return [response.status, details['sharedState']] as const;
  };
  const measured = async (node: BigpipeProcess) => {
    const page = await MetricsPage.of(node);
    const [up, losses, fallbacks] = ['up', 'losses_total', 'fallbacks_total'].map((name) =>
      page.sum(`bigpipe_shared_state_${name}`),
    ) as [number, number, number];
    return { series: page.series('bigpipe_shared_state_up').length, up, losses, fallbacks };
  };
  const scopeOf = ({ headers }: { headers: Record<string, unknown> }) => headers['bigpipe-idempotency-scope'];

  /** Sends `count` calls to each node's slow subscription; resolves to the milliseconds until all have arrived. */
  const slow = async (path: string, count: number): Promise<number> => {
    const startMs = performance.now();
    const lines = Array.from({ length: count }, () => ({ topic: 'slow', url: target.url(path) }));
    await Promise.all(nodes.map((node) => sendLines(node, lines)));
    const arrived = () => target.arrivals.filter((arrival) => arrival.path === path).length;
    await until('all have arrived', () => arrived() === 2 * count);
    return performance.now() - startMs;
  };

  /** Where the machine stands still for half a second Redis counts as away: then all of it once more, with another key. */
  const whileShared = (what: string, send: (key: string) => Promise<RawAnswer[]>) => {
    let tries = 0;
    return until(what, async () => {
      tries += 1;
      const answers = await send(`${what} ${tries}`);
      return answers.every((one) => scopeOf(one) === 'shared') && answers;
    });
  };

  test('a limit holds over both together', async () => {
    // However slow everything is it cannot be sooner.
    expect(await slow('/both', 40)).toBeGreaterThanOrEqual(((80 - burst - 1) / perSecond) * 1000);
  });

  test('a key that one has taken the other knows', async () => {
    const [first, again, other] = (await whileShared('both know a key', async (idempotency_key) => {
      const fields = { url: target.url('/keyed'), data: 'x', idempotency_key };
      const one = await sendJson(nodes[0], fields);
      return [one, await sendJson(nodes[1], fields), await sendJson(nodes[1], { ...fields, data: 'y' })];
    })) as [RawAnswer, RawAnswer, RawAnswer];
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(idOf(again)).toBe(idOf(first));
    expect(other.status).toBe(422);
    const answers = await whileShared('of many at once one is stored', (idempotency_key) => {
      const fields = { url: target.url('/race'), idempotency_key };
      return Promise.all(Array.from({ length: 20 }, (_, i) => sendJson(nodes[i % 2] as BigpipeProcess, fields)));
    });
    const ids = new Set(answers.map(idOf).filter((id) => id !== undefined));
    expect(ids.size).toBe(1);
    await until('it arrives', () => target.countById().has(String([...ids][0])));
    expect((await healthOf(nodes[0]))[1]).toMatchObject({ status: 'up', detail: 'connected to Redis' });
  });

  test('a number is given once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        const node = nodes[i % 2] as BigpipeProcess;
        return i % 4 < 2
          ? sendJson(node, { url: target.url('/numbered') })
          : send(node, { 'bigpipe-url': target.url() });
      }),
    );
    const called = await nodes[0].call({ url: target.url() });
    const ids = [...answers.map(idOf), String(called.headers.get('bigpipe-message-id'))];
    expect(new Set(ids).size).toBe(101);
    for (const id of ids) expect(id).toMatch(/^(\d+|msg_.+)$/);
    // Where the machine stood still for half a second Redis counts as away.
    expect(ids.some((id) => /^\d+$/.test(id))).toBe(true);
  });

  test('without Redis nothing is refused or lost, and all say what does not hold; then it holds again', async () => {
    const before = await measured(nodes[0]);
    await redis.kill();
    await bothAre(false);
    const [status, seen] = await healthOf(nodes[0]);
    expect([status, seen]).toEqual([
      200,
      expect.objectContaining({ status: 'up', detail: expect.stringMatching(/^degraded: Redis does not answer/) }),
    ]);
    const fields = { url: target.url('/alone'), idempotency_key: 'k3' };
    const answers = [
      await sendJson(nodes[0], fields),
      await sendJson(nodes[0], fields),
      await sendJson(nodes[1], fields),
    ];
    expect(answers.map(scopeOf)).toEqual(['node', 'node', 'node']);
    expect(new Set(answers.map(idOf)).size).toBe(2);
    await slow('/apart', 20);
    const away = await measured(nodes[0]);
    expect([away.series, away.up, away.losses > before.losses]).toEqual([1, 0, true]);
    // Of the keys, and of each attempt under the limit of all.
    expect(away.fallbacks - before.fallbacks).toBeGreaterThanOrEqual(22);
    await redis.begin();
    await bothAre(true);
    const { scope, losses } = await sharedOf(nodes[0]);
    expect([scope, losses > 0]).toEqual(['cluster', true]);
    await until('the metrics say so', async () => (await measured(nodes[0])).up === 1);
    const [one, other] = await whileShared('both know a key again', async (idempotency_key) => {
      const after = { ...fields, idempotency_key };
      return [await sendJson(nodes[0], after), await sendJson(nodes[1], after)];
    });
    expect(idOf(other as RawAnswer)).toBe(idOf(one as RawAnswer));
  });
});
