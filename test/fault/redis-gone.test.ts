// Redis dies, freezes and comes back: every question is answered in time, and everything goes on by itself.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SystemClock } from '#src/message/clock.js';
import { RedisSharedState } from '#src/shared-state/drivers/redis/redis.shared-state.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { until } from '../support/until.js';

const clock = new SystemClock();

describe.skipIf(!hasRedis)('Redis is gone for a while', () => {
  let redis: RedisServer;
  let state: RedisSharedState;
  let told: string[];
  let counted: { lost: number; alone: number };

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  beforeEach(async () => {
    told = [];
    counted = { lost: 0, alone: 0 };
    state = new RedisSharedState({
      url: redis.url,
      prefix: 'x:',
      clock,
      report: (text) => told.push(text),
      count: (what) => {
        counted[what] += 1;
      },
    });
    await state.open();
  });

  afterEach(() => state.close());
  afterAll(() => redis.kill());

  const everything = () =>
    Promise.allSettled([
      state.get('k'),
      state.set('k', Buffer.from('v'), 1000),
      state.claim('k', Buffer.from('v'), 1000),
      state.remove('k'),
      state.removeIf('k', Buffer.from('v')),
      state.take('b', { perSecond: 1, burst: 1 }, 1),
      state.reserve('n', 1, 0),
      state.publish('c', Buffer.from('m')),
      state.subscribe('d', () => undefined),
    ]);
  const refused = { status: 'rejected', reason: expect.objectContaining({ code: 'unavailable', retriable: true }) };

  test.each(['killed', 'frozen'])('one that is %s: all is refused, and goes on once it is back', async (how) => {
    const heard: string[] = [];
    await state.subscribe('c', (message) => heard.push(message.toString()));
    await (how === 'killed' ? redis.kill() : redis.freeze());
    for (const answer of await everything()) expect(answer).toEqual(refused);
    expect(state.health()).toEqual({
      ok: false,
      detail: expect.stringMatching(/^Redis does not answer: /),
      losses: 1,
    });
    expect(state.isWorthAsking()).toBe(false);
    // Each of nine questions, and the one whether it is worth while.
    expect(counted).toEqual({ lost: 1, alone: 10 });
    if (how === 'killed') await redis.begin();
    else redis.thaw();
    await until('it is well', () => state.health().ok);
    expect(await state.claim('after', Buffer.from('v'), 1000)).toBeNull();
    await until('what is published is heard again', async () => {
      await state.publish('c', Buffer.from('again')).catch(() => undefined);
      return heard.includes('again');
    });
    expect(told).toEqual([expect.stringMatching(/^Redis does not answer/), 'Redis answers again']);
  });

  test('nobody there at the start: it opens all the same, and is well once somebody is', async () => {
    await redis.kill();
    const early = new RedisSharedState({ url: redis.url, prefix: 'y:', clock, report: () => undefined });
    await early.open();
    expect(early.health().ok).toBe(false);
    await redis.begin();
    await until('it is well', () => early.health().ok);
    await early.close();
  });
});
