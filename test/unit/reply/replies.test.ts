// Replies between nodes over a real Redis: each reaches the caller who waits for it, and nobody else.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { SystemClock } from '#src/message/clock.js';
import type { Reply } from '#src/message/reply.js';
import { Replies } from '#src/reply/replies.js';
import { bytesOfReply, replyOf } from '#src/reply/reply-form.js';
import { RedisSharedState } from '#src/shared-state/drivers/redis/redis.shared-state.js';
import { Stats } from '#src/stats/stats.js';
import { hasRedis, RedisServer } from '../../support/redis-server.js';
import { until } from '../../support/until.js';

const clock = new SystemClock();
const config = { settings: { reply: { ttlMs: 60_000, maxBytes: 1000, maxWaiting: 3000, maxWaitMs: 60_000 } } };

const answered = (id: string, body = id): Reply => ({
  id,
  caller: 'me',
  kind: 'answered',
  status: 200,
  headers: { 'content-type': 'text/plain' },
  body: Buffer.from(body),
});

test('a reply comes back from its bytes as it was; what is none is null', () => {
  for (const reply of [
    answered('x', 'a\nb\0'),
    answered('y', ''),
    { id: 'z', caller: 'c', kind: 'failed', status: 0, detail: 'no' } as const,
  ]) {
    expect(replyOf(bytesOfReply(reply))).toEqual(reply);
  }
  for (const text of [
    '',
    '{}',
    '{}\n',
    'x\n',
    '[]\n',
    'null\n',
    '{"id":1}\n',
    '{"id":"x","caller":"c","kind":"odd","status":1}\n',
  ])
    expect(replyOf(Buffer.from(text))).toBeNull();
});

describe.skipIf(!hasRedis)('two nodes and a Redis', () => {
  let redis: RedisServer;
  let nodes: { replies: Replies; state: RedisSharedState }[];
  let run = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis.kill());

  beforeEach(async () => {
    run += 1;
    nodes = await Promise.all(
      [0, 1].map(async () => {
        const state = new RedisSharedState({ url: redis.url, prefix: `${run}:`, clock, report: () => undefined });
        await state.open();
        return { state, replies: new Replies(state, config as unknown as ConfigWatch, clock, new Stats()) };
      }),
    );
  });

  afterEach(async () => {
    for (const { replies, state } of nodes) {
      replies.close();
      await state.close();
    }
  });

  test('each of many callers gets its own reply, from whichever node delivers', async () => {
    const [one, two] = nodes.map(({ replies }) => replies) as [Replies, Replies];
    await until('it listens', async () => {
      const probe = one.expect('probe', 100);
      two.came(one.channel, answered('probe'));
      return (await probe?.reply) !== null;
    });
    const ids = Array.from({ length: 2000 }, (_, i) => `m${i}`);
    const waiting = ids.map((id) => one.expect(id, 20_000)?.reply ?? Promise.resolve(null));
    for (const id of ids.toReversed()) (id.endsWith('7') ? one : two).came(one.channel, answered(id));
    const got = await Promise.all(waiting);
    expect(got.map((reply) => (reply?.kind === 'answered' ? reply.body.toString() : reply))).toEqual(ids);
    expect(one.expect('more', 10)).not.toBeNull();
  });

  test('who asks at another node later finds it, or waits for it there', async () => {
    const [one, two] = nodes.map(({ replies }) => replies) as [Replies, Replies];
    one.came(one.channel, answered('early'));
    await until('it is kept', async () => (await two.find('early', 0)) !== null);
    const waiting = two.find('late', 20_000);
    await until('it listens', async () => {
      one.came(one.channel, answered('late'));
      return Promise.race([waiting.then(() => true), new Promise((resolve) => setTimeout(resolve, 50))]);
    });
    expect(await waiting).toEqual(answered('late'));
    expect(await two.find('never', 30)).toBeNull();
  });

  test('a good answer is kept for calls like it, at any node, for so long; a no is not', async () => {
    const [one, two] = nodes.map(({ replies }) => replies) as [Replies, Replies];
    one.came(one.channel, { ...answered('no'), status: 404 } as Reply, 'no 60000');
    one.came(one.channel, answered('short'), 'short 1');
    one.came(one.channel, answered('good'), 'good 60000');
    const found = await until('it is kept', () => two.findResult('good'));
    expect(found.reply).toEqual(answered('good'));
    expect(found.ageMs).toBeGreaterThanOrEqual(0);
    expect(await two.findResult('no')).toBeNull();
    await until('it is over', async () => (await two.findResult('short')) === null);
  });

  test('more than may wait are told so; whose bigpipe drains are told that it takes longer', async () => {
    const [{ replies }] = nodes as [(typeof nodes)[number]];
    const waiting = Array.from({ length: 3000 }, (_, i) => replies.expect(`w${i}`, 60_000));
    expect(replies.expect('one more', 60_000)).toBeNull();
    replies.close();
    expect(await waiting[0]?.reply).toBeNull();
    expect(replies.expect('after', 1000)).toBeNull();
  });

  test('without Redis a wait ends in time, and a look-up is refused', async () => {
    const [{ replies }] = nodes as [(typeof nodes)[number]];
    const expected = replies.expect('x', 300);
    await redis.kill();
    replies.came('elsewhere', answered('y'));
    expect(await expected?.reply).toBeNull();
    await expect(replies.find('x', 0)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await replies.findResult('x')).toBeNull();
    // What is delivered here needs no Redis.
    const here = replies.expect('z', 5000);
    replies.came(replies.channel, answered('z'));
    expect(await here?.reply).toEqual(answered('z'));
    await redis.begin();
  });
});
