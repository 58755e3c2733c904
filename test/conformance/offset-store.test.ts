// The offset store over both drivers of the shared state: what was saved last is loaded, and it never stands in the way.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { OffsetStore } from '#src/broker/offset-store.js';
import { SharedOffsetStore } from '#src/broker/shared-offset-store.js';
import { SystemClock } from '#src/message/clock.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import { RedisSharedState } from '#src/shared-state/drivers/redis/redis.shared-state.js';
import type { SharedState } from '#src/shared-state/shared-state.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';

const clock = new SystemClock();

function offsetStoreSuite(name: string, make: () => SharedState): void {
  describe(`offset store: ${name}`, () => {
    let state: SharedState;
    let store: OffsetStore;

    beforeEach(async () => {
      state = make();
      await state.open();
      store = new SharedOffsetStore(state);
    });

    afterEach(() => state.close());

    const at = (partition: number, topic = 'orders') => ({ topic, partition });

    test('has what was saved last, of each group and partition its own', async () => {
      const offset = 2n ** 53n + 1n;
      await store.save('G', at(0), { offset, metadata: '' });
      await store.save('G', at(1), { offset: 7n, metadata: '1 ranges 9-11,14' });
      await store.save('G', at(1), { offset: 8n, metadata: 'x' });
      await store.save('G', at(1, 'orders.G.overflow'), { offset: 3n, metadata: '' });
      await store.save('H', at(1), { offset: 1n, metadata: '' });
      expect(await store.load('G', [at(0), at(1), at(2), at(1, 'orders.G.overflow')])).toEqual([
        { ...at(0), offset, metadata: '' },
        { ...at(1), offset: 8n, metadata: 'x' },
        { ...at(1, 'orders.G.overflow'), offset: 3n, metadata: '' },
      ]);
      expect(await store.load('nobody', [at(0)])).toEqual([]);
    });

    test('of many commits at once the last one stays', async () => {
      await Promise.all(
        Array.from({ length: 500 }, (_, i) => store.save('G', at(0), { offset: BigInt(i), metadata: '' })),
      );
      expect(await store.load('G', [at(0)])).toEqual([{ ...at(0), offset: 499n, metadata: '' }]);
      await store.save('G', at(0), { offset: 500n, metadata: '' });
      expect(await store.load('G', [at(0)])).toMatchObject([{ offset: 500n }]);
    });

    test('what is no mark is none', async () => {
      await state.set('mark:G:orders/0', Buffer.from('minus one'), 60_000);
      expect(await store.load('G', [at(0)])).toEqual([]);
    });

    test('metadata as long as a commit may carry comes back whole', async () => {
      const metadata = 'm'.repeat(32_767);
      await store.save('G', at(0), { offset: 1n, metadata });
      expect(await store.load('G', [at(0)])).toMatchObject([{ metadata }]);
    });
  });
}

offsetStoreSuite('memory', () => new MemorySharedState({ clock, maxBytes: 1_000_000 }));

describe.skipIf(!hasRedis)('on a real Redis', () => {
  let redis: RedisServer;
  let made = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis.kill());

  offsetStoreSuite('redis', () => {
    made += 1;
    return new RedisSharedState({ url: redis.url, prefix: `${made}:`, clock, report: () => undefined });
  });

  test('without Redis a save and a load are refused, for the broker to go on without them', async () => {
    const state = new RedisSharedState({ url: redis.url, prefix: 'x:', clock, report: () => undefined });
    await state.open();
    const store = new SharedOffsetStore(state);
    await redis.kill();
    const partition = { topic: 'orders', partition: 0 };
    await expect(store.save('G', partition, { offset: 1n, metadata: '' })).rejects.toMatchObject({
      code: 'unavailable',
    });
    await expect(store.load('G', [partition])).rejects.toMatchObject({ code: 'unavailable' });
    await redis.begin();
    await state.close();
  });
});
