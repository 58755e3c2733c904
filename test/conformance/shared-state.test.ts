// Both drivers of the shared state against every promise of the port.
import { afterAll, beforeAll, describe } from 'vitest';
import { SystemClock } from '#src/message/clock.js';
import { MemorySharedState } from '#src/shared-state/drivers/memory/memory.shared-state.js';
import { RedisSharedState } from '#src/shared-state/drivers/redis/redis.shared-state.js';
import { FakeClock } from '../support/fake-clock.js';
import { hasRedis, RedisServer } from '../support/redis-server.js';
import { sharedStateSuite } from './shared-state.suite.js';

const clock = new FakeClock();
sharedStateSuite('memory', {
  make: () => new MemorySharedState({ clock, maxBytes: 1_000_000 }),
  pass: (ms) => clock.advance(ms),
});

describe.skipIf(!hasRedis)('on a real Redis', () => {
  let redis: RedisServer;
  let made = 0;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis.kill());

  sharedStateSuite('redis', {
    make: () => {
      made += 1;
      return new RedisSharedState({
        url: redis.url,
        prefix: `${made}:`,
        clock: new SystemClock(),
        report: () => undefined,
      });
    },
    // Redis has its own time.
    pass: () => undefined,
  });
});
