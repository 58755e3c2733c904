// A topic's limit where other processes take calls as well: a part for plain calls, the whole for those that only come here.
import { expect, test } from 'vitest';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import type { Settings } from '#src/config-watch/settings.js';
import { BigpipeError } from '#src/message/errors.js';
import { messageHeader } from '#src/message/message.js';
import type { Idempotency, OnceKey } from '#src/producer/idempotency.js';
import { Producer } from '#src/producer/producer.js';
import { Metrics } from '#src/stats/metrics/metrics.js';
import { Stats } from '#src/stats/stats.js';
import { NoTracing } from '#src/stats/tracing/tracing.js';
import { limitShares } from '#src/workers/share-of.js';
import { FakeClock } from '../../support/fake-clock.js';

const settingsOf = (perSecond: number) =>
  ({
    acl: [],
    commit: { openTopics: [] },
    log: { sample: 0 },
    producer: {
      acks: -1,
      maxWaiting: 1000,
      maxWaitingBytes: 1_000_000,
      topicLimits: [{ topic: 'a', rate: { perSecond, burst: perSecond } }],
    },
  }) as unknown as Settings;

/** Every key is new to it. */
const keys = {
  claim: async () => ({
    kind: 'new',
    record: () => ({ topic: 'a', key: null, body: Buffer.alloc(0), headers: {} }),
    stored: async () => 'node',
    failed: () => undefined,
  }),
} as unknown as Idempotency;

const offer = (once: OnceKey | null) => {
  const message = { topic: 'a', key: null, body: Buffer.from('x'), headers: { [messageHeader.id]: 'm' } };
  return { message, acks: undefined, once };
};

test('plain calls have the part, keyed ones the whole, and a change keeps that', async () => {
  const clock = new FakeClock();
  const broker = new MemoryBroker({ maxBytes: 1e9, clock, report: () => undefined });
  await broker.open();
  await broker.ensureTopic({ name: 'a', partitions: 1, retention: 'standard' });
  const configWatch = { settings: settingsOf(10) } as ConfigWatch;
  const producer = new Producer(broker, configWatch, keys, clock, new NoTracing(), new Stats(), new Metrics());
  producer.takePart((limits) => limitShares(limits, 2));
  const taken = async (once: OnceKey | null) => {
    const results = await producer.acceptAll(Array.from({ length: 50 }, () => offer(once)));
    return results.filter((result) => !(result instanceof BigpipeError)).length;
  };
  const key = {} as OnceKey;
  expect([await taken(null), await taken(key)]).toEqual([5, 10]);
  producer.adjust(settingsOf(20));
  clock.advance(60_000);
  expect([await taken(null), await taken(key)]).toEqual([10, 20]);
  await broker.close();
});
