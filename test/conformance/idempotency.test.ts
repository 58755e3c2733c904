// Both drivers of the idempotency keys against every promise of the port; and what only keys that are shared promise.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { SystemClock } from '#src/message/clock.js';
import type { Claim } from '#src/producer/idempotency.js';
import { NodeIdempotency } from '#src/producer/node-idempotency.js';
import { SharedIdempotency } from '#src/producer/shared-idempotency.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import { RedisSharedState } from '#src/shared-state/drivers/redis/redis.shared-state.js';
import type { SharedState } from '#src/shared-state/shared-state.js';
import { Stats } from '#src/stats/stats.js';
import { FakeClock } from '../support/fake-clock.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';
import { answer, idempotencySuite, once, store } from './idempotency.suite.js';

const ttlMs = 60_000;
const config = { settings: { idempotency: { ttlMs, maxKeys: 1000 } } } as unknown as ConfigWatch;
const clock = new FakeClock();

/** A node with a log of its own. */
async function nodeOver(state: SharedState | null) {
  const broker = new MemoryBroker({ maxBytes: 1_000_000, clock, report: () => undefined });
  await broker.open();
  const own = new NodeIdempotency(broker, config, clock, new Stats());
  return { broker, keys: state === null ? own : new SharedIdempotency(own, state, config) };
}

const pass = (ms: number) => clock.advance(ms);
idempotencySuite('of a node', { make: () => nodeOver(null), pass, ttlMs });
idempotencySuite('shared, in memory', {
  make: () => nodeOver(Object.assign(new MemorySharedState({ clock, maxBytes: 1_000_000 }), { scope: 'cluster' })),
  pass,
  ttlMs,
});

describe.skipIf(!hasRedis)('shared over a real Redis', () => {
  let redis: RedisServer;
  let states: RedisSharedState[] = [];
  let made = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  beforeEach(() => {
    made += 1;
  });

  afterEach(async () => {
    for (const state of states) await state.close();
    states = [];
  });

  afterAll(() => redis.kill());

  const node = async () => {
    const state = new RedisSharedState({
      url: redis.url,
      prefix: `${made}:`,
      clock: new SystemClock(),
      report: () => undefined,
    });
    states.push(state);
    await state.open();
    return { state, ...(await nodeOver(state)) };
  };

  // Redis has its own time: a node that forgets earlier than Redis is told by that.
  test('two nodes are one: of the same call at once one is stored, the other knows of it', async () => {
    const [a, b] = [await node(), await node()];
    const claims = await Promise.all([a.keys.claim(once('k')), b.keys.claim(once('k'))]);
    expect(claims.map(({ kind }) => kind).sort()).toEqual(['in progress', 'new']);
    const [winner, other] = claims[0].kind === 'new' ? [a, b] : [b, a];
    const claim = claims.find(({ kind }) => kind === 'new') as Claim;
    expect((await other.keys.claim(once('k', 'that'))).kind).toBe('other payload');
    expect(await store(winner.broker, claim, 'm1')).toBe('shared');
    expect(await other.keys.claim(once('k'))).toEqual({ kind: 'known', answer: answer('m1'), scope: 'shared' });
    expect((await other.keys.claim(once('k', 'that'))).kind).toBe('other payload');
  });

  test('what one could not store another may', async () => {
    const [a, b] = [await node(), await node()];
    const claim = await a.keys.claim(once('k'));
    if (claim.kind === 'new') claim.failed();
    const next = await until('it is free again', async () => {
      const asked = await b.keys.claim(once('k', 'that'));
      return asked.kind === 'new' && asked;
    });
    expect(await store(b.broker, next, 'm2')).toBe('shared');
  });

  test('while Redis is away each node knows its own, and says so; afterwards all know again', async () => {
    const [a, b] = [await node(), await node()];
    await store(a.broker, await a.keys.claim(once('before')), 'm0');
    const halfWay = await a.keys.claim(once('half way'));
    await redis.kill();
    await until('it is noticed', () => !a.state.health().ok && !b.state.health().ok);
    expect(await store(a.broker, halfWay, 'm1')).toBe('node');
    expect(await store(a.broker, await a.keys.claim(once('meanwhile')), 'm2')).toBe('node');
    expect(a.keys.scope).toBe('node');
    expect(await a.keys.claim(once('before'))).toMatchObject({ kind: 'known', answer: { id: 'm0' } });
    expect(await a.keys.claim(once('meanwhile'))).toMatchObject({ kind: 'known', answer: { id: 'm2' } });
    expect((await b.keys.claim(once('meanwhile'))).kind).toBe('new');
    await redis.begin();
    await until('they are well', () => a.state.health().ok && b.state.health().ok);
    expect(await store(a.broker, await a.keys.claim(once('after')), 'm3')).toBe('shared');
    expect(await b.keys.claim(once('after'))).toMatchObject({ kind: 'known', answer: { id: 'm3' } });
    // What was known to one alone is told to the others when it is asked for again.
    expect(await a.keys.claim(once('meanwhile'))).toMatchObject({ answer: { id: 'm2' }, scope: 'shared' });
    const forgetful = await node();
    expect(await forgetful.keys.claim(once('meanwhile'))).toMatchObject({ kind: 'known', answer: { id: 'm2' } });
  });
});
