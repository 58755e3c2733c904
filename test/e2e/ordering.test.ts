// What waits for what over real HTTP: ordering key, partition and none; named destinations; limits of a destination.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { HeldTarget } from '../support/held-target.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { accepted, untilBacklog } from '../support/why-waiting.js';

const hour = 3_600_000;

/** One process, one subscription for each test; the receivers of the two that share a name live as long as it does. */
let sharedA: HeldTarget;
let sharedB: HeldTarget;
let bigpipe: BigpipeProcess;
let one: HeldTarget;
let two: HeldTarget;

beforeAll(async () => {
  sharedA = await HeldTarget.start();
  sharedB = await HeldTarget.start();
  const origins = [sharedA, sharedB].map((target) => new URL(target.url()).origin);
  const settings: Record<string, Config> = {
    usual: {},
    partition: { ordering: 'partition' },
    none: { ordering: 'none' },
    named: { destinations: [{ name: 'shared', origins }] },
    'named-limit': { destinations: [{ name: 'shared', origins, concurrency: 1 }], destination: { concurrency: 2 } },
    concurrency: { destination: { concurrency: 2 } },
    rate: { destination: { rateLimit: 0.001, burst: 3 } },
    half: { concurrency: 4 },
  };
  const topics = Object.keys(settings);
  const consumer = baseConsumer({ timeout: hour, concurrency: 20 });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': topics.map((name) => ({ name, partitions: 1 })),
      'kafka.producer.acl': topics.map((topic) => ({ name: topic, secret: 's', topic })),
      'kafka.consumer.list': topics.map((topic) => ({ ...consumer, topic, ...settings[topic] })),
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await sharedA.close();
  await sharedB.close();
});

beforeEach(async () => {
  one = await HeldTarget.start();
  two = await HeldTarget.start();
});

afterEach(async () => {
  await one.close();
  await two.close();
});

const call = (topic: string, id: string, target: HeldTarget, key = '') =>
  accepted(bigpipe.call({ acl: { name: topic, secret: 's' }, id, url: target.url(), partition_key: key }));

test('by default a key waits for itself at one destination, also through a retry, and for nothing else', async () => {
  await call('usual', 'first', one, 'k');
  await call('usual', 'second', one, 'k');
  await call('usual', 'other-key', one, 'l');
  await call('usual', 'other-place', two, 'k');
  await call('usual', 'no-key-1', one);
  await call('usual', 'no-key-2', one);
  await one.untilWaiting('first', 'other-key', 'no-key-1', 'no-key-2');
  await two.untilWaiting('other-place');
  await untilBacklog(bigpipe, { inFlight: 5, order: 1 }, 'usual');
  expect(one.waiting).not.toContain('second');
  // Its failure keeps the place: the second one waits for the repeat as well.
  one.answer('first', 503);
  await one.untilWaiting('first');
  await untilBacklog(bigpipe, { inFlight: 5, order: 1 }, 'usual');
  expect(one.waiting).not.toContain('second');
  one.answer('first');
  await one.untilWaiting('second');
});

test('a message that is given up lets the next one of its key go', async () => {
  await call('usual', 'refused', one, 'given up');
  await call('usual', 'next', one, 'given up');
  await one.untilWaiting('refused');
  one.answer('refused', 410);
  await one.untilWaiting('next');
  expect(one.arrivals.map(({ headers }) => headers['bigpipe-message-id'])).toEqual(['refused', 'next']);
});

test('ordering partition sends one at a time, whatever the key and the destination', async () => {
  await call('partition', 'p-1', one, 'k');
  await call('partition', 'p-2', two, 'l');
  await call('partition', 'p-3', one);
  await one.untilWaiting('p-1');
  await untilBacklog(bigpipe, { inFlight: 1, order: 2 }, 'partition');
  expect([...one.waiting, ...two.waiting]).toEqual(['p-1']);
  one.answer('p-1');
  await two.untilWaiting('p-2');
  await untilBacklog(bigpipe, { inFlight: 1, order: 1 }, 'partition');
  two.answer('p-2');
  await one.untilWaiting('p-3');
});

test('ordering none sends messages of one key at the same time', async () => {
  for (const id of ['n-1', 'n-2', 'n-3']) await call('none', id, one, 'k');
  await one.untilWaiting('n-1', 'n-2', 'n-3');
  await untilBacklog(bigpipe, { inFlight: 3 }, 'none');
});

test('origins under one name are one destination: a key waits across them', async () => {
  await call('named', 's-1', sharedA, 'k');
  await call('named', 's-2', sharedB, 'k');
  await call('named', 's-3', one, 'k');
  await sharedA.untilWaiting('s-1');
  await one.untilWaiting('s-3');
  await untilBacklog(bigpipe, { inFlight: 2, order: 1 }, 'named');
  expect(sharedB.waiting).toEqual([]);
  sharedA.answer('s-1');
  await sharedB.untilWaiting('s-2');
  sharedB.answer('s-2');
});

test("origins under one name share its limit, which is the name's own, and other destinations have theirs", async () => {
  await call('named-limit', 'l-1', sharedA);
  await sharedA.untilWaiting('l-1');
  await call('named-limit', 'l-2', sharedB);
  for (const id of ['l-3', 'l-4', 'l-5']) await call('named-limit', id, one);
  await one.untilWaiting('l-3', 'l-4');
  await untilBacklog(bigpipe, { inFlight: 3, concurrency: 2 }, 'named-limit');
  expect([sharedA.waiting, sharedB.waiting, one.mostHeld]).toEqual([['l-1'], [], 2]);
  sharedA.answer('l-1');
  await sharedB.untilWaiting('l-2');
  sharedB.answer('l-2');
});

test('destination.concurrency holds for each destination by itself', async () => {
  for (let i = 0; i < 6; i += 1) await call('concurrency', `c-${i}`, one);
  await untilBacklog(bigpipe, { inFlight: 2, concurrency: 4 }, 'concurrency');
  await call('concurrency', 'elsewhere', two);
  await two.untilWaiting('elsewhere');
  for (let i = 0; i < 6; i += 1) {
    await one.untilWaiting(`c-${i}`);
    one.answer(`c-${i}`);
  }
  await untilBacklog(bigpipe, { inFlight: 1 }, 'concurrency');
  expect(one.mostHeld).toBe(2);
});

test('destination.rateLimit holds for each destination by itself, retries included', async () => {
  await call('rate', 'r-0', one);
  await one.untilWaiting('r-0');
  one.answer('r-0', 503);
  await one.untilWaiting('r-0');
  // Two of three tokens are gone.
  for (let i = 1; i < 5; i += 1) await call('rate', `r-${i}`, one);
  await untilBacklog(bigpipe, { inFlight: 2, rate: 3 }, 'rate');
  for (let i = 0; i < 4; i += 1) await call('rate', `e-${i}`, two);
  await two.untilWaiting('e-0', 'e-1', 'e-2');
  await untilBacklog(bigpipe, { inFlight: 5, rate: 4 }, 'rate');
  expect([one.arrivals.length, two.arrivals.length]).toEqual([3, 3]);
});

test('beside others a destination gets at most half of the concurrency, alone all of it', async () => {
  for (let i = 0; i < 6; i += 1) await call('half', `h-${i}`, one);
  await one.untilWaiting('h-0', 'h-1', 'h-2', 'h-3');
  await untilBacklog(bigpipe, { inFlight: 4, concurrency: 2 }, 'half');
  const other = await TargetServer.start();
  try {
    await accepted(bigpipe.call({ acl: { name: 'half', secret: 's' }, id: 'beside', url: other.url() }));
    await untilBacklog(bigpipe, { inFlight: 4, concurrency: 3 }, 'half');
    // The place that comes free is not for the one that has more than its half.
    one.answer('h-0');
    await until('the other one is served', () => other.arrivals.length === 1);
    expect(one.arrivals).toHaveLength(4);
    one.answer('h-1');
    await untilBacklog(bigpipe, { inFlight: 2, concurrency: 2 }, 'half');
    expect(one.arrivals).toHaveLength(4);
    one.answer('h-2');
    await one.untilWaiting('h-4');
  } finally {
    await other.close();
  }
});
