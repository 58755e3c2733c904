// A watched cluster: read when asked, never remembered in its place, opened again after it has failed.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import { ClusterWatch } from '#src/monitor/cluster-watch.js';
import { FakeClock } from '../../support/fake-clock.js';

const intervalMs = 10_000;
const place = { topic: 'orders', partition: 0 };

let clock: FakeClock;
let broker: MemoryBroker;
let opened: number;
let canOpen: boolean;
let told: string[];
let watch: ClusterWatch;

beforeEach(async () => {
  clock = new FakeClock();
  broker = new MemoryBroker({ maxBytes: 1_000_000, clock, report: () => undefined });
  await broker.ensureTopic({ name: 'orders', partitions: 1, retention: 'standard' });
  [opened, canOpen, told] = [0, true, []];
  watch = new ClusterWatch({
    name: 'first',
    open: async () => {
      opened += 1;
      if (!canOpen) throw new Error('nobody there');
      return broker;
    },
    release: async () => undefined,
    expected: () => broker.lag('newcomer', 'orders').map((row) => ({ ...row, group: 'newcomer' })),
    clock,
    intervalMs,
    report: (text) => told.push(text),
  });
});

afterEach(async () => {
  await watch.close();
});

const append = (count: number) =>
  broker.append(
    Array.from({ length: count }, () => ({ topic: 'orders', key: null, body: Buffer.from('x'), headers: {} })),
    -1,
  );

const rowOf = async (group: string) => (await watch.rows()).find((row) => row.group === group);

test('a reading is shared for a second, and then is what is true', async () => {
  await append(3);
  expect((await rowOf('newcomer'))?.lag).toBe(3n);
  await append(2);
  expect((await rowOf('newcomer'))?.lag).toBe(3n);
  clock.advance(1000);
  expect((await rowOf('newcomer'))?.lag).toBe(5n);
  expect(opened).toBe(1);
});

test('a group with marks is told with its age and when it will have caught up', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const member = await broker.join('G', ['orders'], {
    assigned: () => resolve(),
    messages: () => new Promise(() => undefined),
    revoked: () => undefined,
  });
  await promise;
  await append(100);
  watch.start();
  clock.advance(intervalMs);
  // Joins the look that the timer has begun, which is a sample once all that waited for it has run.
  await watch.rows();
  await new Promise(setImmediate);
  await member.commit(place, { offset: 40n, metadata: '' });
  clock.advance(2000);
  const row = await rowOf('G');
  expect(row).toMatchObject({ committed: 40n, highWatermark: 100n, lag: 60n, drainSeconds: 3 });
  expect((await watch.ages(await watch.rows())).values().next().value).toBe(12);
});

test('one that does not answer has no rows, is told once, and is asked anew', async () => {
  canOpen = false;
  await expect(watch.rows()).rejects.toThrow('nobody there');
  await expect(watch.rows()).rejects.toThrow('nobody there');
  canOpen = true;
  await watch.rows();
  expect(opened).toBe(3);
  expect(told).toEqual(['a monitored cluster does not answer', 'a monitored cluster answers again']);
});
