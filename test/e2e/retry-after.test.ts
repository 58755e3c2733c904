// Retry-After: one answer on 429 or 503 keeps everything away from that destination, and only from that one.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { accepted, explain, isSameMoment, stateOf } from '../support/why-waiting.js';

/** Two clocks are compared, each of which rounds. */
const roundingMs = 5;

let healthy: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  healthy = await TargetServer.start();
  const consumer = baseConsumer({ retries: 20, retryBackoff: [1] });
  const config = baseConfig({
    'kafka.topics': [
      { name: 'test', partitions: 1 },
      { name: 'bounded', partitions: 1 },
      { name: 'deaf', partitions: 1 },
    ],
    'kafka.producer.acl': [
      { name: 'system-1', secret: 'i am good', topic: 'test' },
      { name: 'bounded', secret: 's', topic: 'bounded' },
      { name: 'deaf', secret: 's', topic: 'deaf' },
    ],
    'kafka.consumer.list': [
      consumer,
      { ...consumer, topic: 'bounded', retryAfterMaxSeconds: 1 },
      { ...consumer, topic: 'deaf', retryAfterMaxSeconds: 0 },
    ],
  });
  bigpipe = await BigpipeProcess.start({ config });
});

afterAll(async () => {
  await bigpipe.dispose();
  await healthy.close();
});

/** Answers its first request with this status and Retry-After, and all others with 200. */
function askingOnce(status: number, retryAfter: () => string): Promise<TargetServer> {
  let asked = false;
  return TargetServer.start((_arrival, response) => {
    if (asked) response.end();
    else response.writeHead(status, { 'retry-after': retryAfter() }).end();
    asked = true;
  });
}

const held = async (target: TargetServer, topic = 'test') => {
  const state = await stateOf(bigpipe, target.url(), topic);
  return state?.state === 'held' ? state : null;
};

const untilHeld = (target: TargetServer, topic = 'test') => until('the destination is held', () => held(target, topic));

/** The time between the first arrival and the second. */
const pauseMsOf = ({ arrivals: [first, second] }: TargetServer) => (second?.atMs ?? 0) - (first?.atMs ?? 0);

test.each([429, 503])('one %i with Retry-After: 1 keeps every message away for a second', async (status) => {
  const target = await askingOnce(status, () => '1');
  try {
    const call = (i: number, key: string) =>
      accepted(bigpipe.call({ id: `one-${status}-${i}`, url: target.url(), partition_key: key }));
    await call(0, 'k');
    await untilHeld(target);
    // With the key of the first and without: the destination is held, not only a lane.
    for (let i = 1; i <= 5; i += 1) await call(i, i % 2 === 0 ? 'k' : '');
    await until('all have arrived', () => target.countById().size === 6 && target.arrivals.length === 7);
    expect(pauseMsOf(target)).toBeGreaterThanOrEqual(1000 - roundingMs);
    expect(target.arrivals.filter(({ headers }) => headers['bigpipe-redelivery'] !== undefined)).toHaveLength(1);
  } finally {
    await target.close();
  }
});

test('while one destination is held for an hour the others get all their calls, and it says until when', async () => {
  const target = await askingOnce(503, () => '3600');
  try {
    await accepted(bigpipe.call({ id: 'hour-0', url: target.url(), partition_key: 'k' }));
    const { reason, since, nextChange } = await untilHeld(target);
    expect(reason).toContain('Retry-After');
    expect(Date.parse(nextChange ?? '') - Date.parse(since)).toBeGreaterThan(3_590_000);
    await accepted(bigpipe.call({ id: 'hour-1', url: target.url() }));
    for (let i = 0; i < 20; i += 1) {
      await accepted(bigpipe.call({ id: `well-${i}`, url: healthy.url(), partition_key: i % 2 === 0 ? 'k' : '' }));
    }
    await until('the other destination has its calls', () => healthy.countById().size === 20);
    const { state, waitingFor, estimate } = await explain(bigpipe, { id: 'hour-1' });
    expect([state, waitingFor[0]?.reason]).toEqual(['waiting', 'retry-after']);
    expect(isSameMoment(waitingFor[0]?.until, nextChange)).toBe(true);
    expect(isSameMoment(estimate, nextChange)).toBe(true);
    expect(target.arrivals).toHaveLength(1);
  } finally {
    await target.close();
  }
});

test('Retry-After may be an HTTP date, and nothing comes before it', async () => {
  let named = 0;
  let firstAfter = 0;
  const target = await TargetServer.start((_arrival, response) => {
    if (named > 0) {
      firstAfter ||= Date.now();
      response.end();
      return;
    }
    // A date has no milliseconds: at least one second of these two is left.
    const text = new Date(Date.now() + 2000).toUTCString();
    named = Date.parse(text);
    response.writeHead(503, { 'retry-after': text }).end();
  });
  try {
    await accepted(bigpipe.call({ id: 'date-0', url: target.url() }));
    await untilHeld(target);
    await accepted(bigpipe.call({ id: 'date-1', url: target.url() }));
    await until('both have arrived', () => target.countById().size === 2 && target.arrivals.length === 3);
    expect(firstAfter).toBeGreaterThanOrEqual(named - roundingMs);
  } finally {
    await target.close();
  }
});

test('retryAfterMaxSeconds bounds what a receiver may ask for', async () => {
  const target = await askingOnce(503, () => '3600');
  try {
    await accepted(bigpipe.call({ acl: { name: 'bounded', secret: 's' }, id: 'bounded', url: target.url() }));
    await until('it was tried again', () => target.arrivals.length === 2);
    expect(pauseMsOf(target)).toBeGreaterThanOrEqual(1000 - roundingMs);
  } finally {
    await target.close();
  }
});

test('retryAfterMaxSeconds 0 obeys none', async () => {
  const target = await askingOnce(503, () => '3600');
  try {
    await accepted(bigpipe.call({ acl: { name: 'deaf', secret: 's' }, id: 'deaf', url: target.url() }));
    await until('it was tried again', () => target.arrivals.length === 2);
    expect(await stateOf(bigpipe, target.url(), 'deaf')).toBeUndefined();
  } finally {
    await target.close();
  }
});

test.each([
  [500, '3600'],
  [408, '3600'],
  [503, 'soon'],
  [503, '-1'],
  [503, '1.5e3'],
  [429, '2099-01-01T00:00:00Z'],
  [503, 'Sun, 06 Nov 1994 08:49:37 GMT'],
])('%i with Retry-After %s holds nothing', async (status, text) => {
  const target = await askingOnce(status, () => text);
  try {
    await accepted(bigpipe.call({ url: target.url() }));
    await until('it was tried again', () => target.arrivals.length === 2);
    expect(await stateOf(bigpipe, target.url())).toBeUndefined();
  } finally {
    await target.close();
  }
});
