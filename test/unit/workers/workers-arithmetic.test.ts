// The pure parts of the workers: delays before a replacement, shares of bounds, sums of figures.
import { expect, test } from 'vitest';
import type { Settings } from '#src/config-watch/settings.js';
import { respawnAfter } from '#src/workers/respawn-delay.js';
import { partsOf, shareOf, takesCallsItself } from '#src/workers/share-of.js';
import { sumSections } from '#src/workers/sum-sections.js';

test('one that had served is replaced at once, one that dies of its start later and later, up to a bound', () => {
  expect(respawnAfter(3_600_000, 0)).toEqual({ delayMs: 0, early: 0 });
  const delays: number[] = [];
  let early = 0;
  for (let i = 0; i < 12; i += 1) {
    const next = respawnAfter(50, early);
    delays.push(next.delayMs);
    early = next.early;
  }
  expect(delays).toEqual([0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000, 10_000]);
  expect(respawnAfter(20_000, early)).toEqual({ delayMs: 0, early: 0 });
});

test('connections are shared out; no worker gets none, and together they are at least the whole', () => {
  const settings = {
    log: { level: 4, directory: '/var/log/bigpipe', sample: 0.01 },
    topics: [],
    producer: { topicLimits: [{ topic: 't', rate: { perSecond: 6, burst: 2 } }] },
    server: { maxConnections: 10, maxBodyBytes: 5000 },
    subscriptions: [{}],
  } as unknown as Settings;
  const { log, server, subscriptions, producer } = shareOf(settings, 3);
  expect(producer.topicLimits).toEqual([{ topic: 't', rate: { perSecond: 2, burst: 1 } }]);
  expect(server).toEqual({ maxConnections: 4, maxBodyBytes: 5000 });
  expect([log.directory, subscriptions]).toEqual([null, []]);
  expect(shareOf({ ...settings, server: { ...settings.server, maxConnections: 1 } }, 3).server.maxConnections).toBe(1);
});

test('beside one worker the main process takes calls and has its share; beside several it takes none', () => {
  expect([1, 2, 3].map((workers) => [takesCallsItself(workers), partsOf(workers)])).toEqual([
    [true, 2],
    [false, 2],
    [false, 3],
  ]);
});

test('numbers of the same name are added up, all else is the first one’s', () => {
  const main = {
    serverStats: { receivedCall: 0, acceptedCall: 0 },
    list: [{ n: 1 }],
    brokerStats: { driver: 'x', n: 1 },
  };
  const one = { serverStats: { receivedCall: 3, acceptedCall: 2 }, producerStats: { a: { ok: 1 } } };
  const two = {
    serverStats: { receivedCall: 4 },
    producerStats: { a: { ok: 2 }, b: { ok: 5 } },
    brokerStats: { n: 2 },
  };
  expect(sumSections([main, one, two])).toEqual({
    brokerStats: { driver: 'x', n: 3 },
    list: [{ n: 1 }],
    producerStats: { a: { ok: 3 }, b: { ok: 5 } },
    serverStats: { receivedCall: 7, acceptedCall: 2 },
  });
  // The parts stay what they were.
  expect(one.producerStats).toEqual({ a: { ok: 1 } });
});
