// GET /explain and the backlog in GET /stats: why each message is not delivered yet, in the same words.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { HeldTarget } from '../support/held-target.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import {
  accepted,
  type Explained,
  explain,
  getExplain,
  isSameMoment,
  stateOf,
  subscriptionStats,
  untilBacklog,
  waitingCounts,
} from '../support/why-waiting.js';

const hour = 3_600_000;

const settings: Record<string, Config> = {
  rate: { rateLimit: 0.001, burst: 1 },
  concurrency: { concurrency: 1 },
  'per-destination': { destination: { rateLimit: 0.001, burst: 1 } },
  circuit: {
    retryBackoff: [hour],
    circuitBreaker: { breakPeriod: 3600, recoverPeriod: 1, winSize: 60, minStats: 2, healthRate: 0.5 },
  },
  order: {},
  retry: { retryBackoff: [hour] },
  'retry-after': { retryBackoff: [1] },
  budget: { concurrency: 1, retryBackoff: [1], retryBudget: { percent: 0, floorPerSecond: 0.01 } },
  'warm-up': { warmupSeconds: 3600, rateLimit: 1 },
  unread: { concurrency: 1 },
  settled: {},
  two: {},
};
const topics = Object.keys(settings);

let bigpipe: BigpipeProcess;
/** Never answers unless told. */
let held: HeldTarget;
/** Answers at once with what the path says. */
let quick: TargetServer;

beforeAll(async () => {
  held = await HeldTarget.start();
  quick = await TargetServer.start(({ path }, response) => {
    const headers = path === '/later' ? { 'retry-after': '3600' } : {};
    response.writeHead(path === '/well' ? 200 : 503, headers).end();
  });
  const consumer = baseConsumer({ timeout: hour });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': topics.map((name) => ({ name, partitions: 1 })),
      'kafka.producer.acl': topics.map((topic) => ({ name: topic, secret: 's', topic })),
      'kafka.consumer.list': [
        ...topics.map((topic) => ({ ...consumer, topic, ...settings[topic] })),
        { ...consumer, topic: 'two', groupId: 'G2' },
      ],
      // Larger than what one partition's unsettled messages may weigh takes few calls.
      'http.server.max.body.size': 4_194_304,
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await held.close();
  await quick.close();
});

const call = (topic: string, id: string, url: string, fields: Record<string, unknown> = {}) =>
  accepted(bigpipe.call({ acl: { name: topic, secret: 's' }, id, url, ...fields }));

const reasonsOf = ({ waitingFor }: Explained) => waitingFor.map(({ reason }) => reason);

/** What it says by id, once it waits for `reason`; by position it must say the same. */
async function explained(id: string, topic: string, offset: number, reason: string): Promise<Explained> {
  const byId = await until(`${id} waits for ${reason}`, async () => {
    const response = await getExplain(bigpipe, { id });
    if (response.status !== 200) return null;
    const [first] = ((await response.json()) as { deliveries: Explained[] }).deliveries;
    return first !== undefined && reasonsOf(first).includes(reason) ? first : null;
  });
  const byPosition = await explain(bigpipe, { topic, partition: '0', offset: `${offset}` });
  expect(byPosition).toMatchObject({ id, state: byId.state, destination: byId.destination });
  if (byId.since !== undefined) expect(isSameMoment(byPosition.since, byId.since)).toBe(true);
  expect(reasonsOf(byPosition)).toEqual(reasonsOf(byId));
  expect(byId).toMatchObject({ topic, groupId: 'G1', partition: 0, offset: `${offset}` });
  return byId;
}

const inFuture = (text: string | null) => Date.parse(text ?? '') > Date.now();

test('a message behind the rate limit says when the next token is there', async () => {
  await call('rate', 'rate-0', quick.url('/well'));
  await call('rate', 'rate-1', quick.url('/well'));
  const { state, waitingFor, estimate, since } = await explained('rate-1', 'rate', 1, 'rate');
  expect(state).toBe('waiting');
  expect(waitingFor[0]?.detail).toContain('0.001 a second');
  expect([inFuture(waitingFor[0]?.until ?? null), inFuture(estimate)]).toEqual([true, true]);
  expect(Date.parse(since ?? '')).toBeLessThanOrEqual(Date.now());
  await untilBacklog(bigpipe, { rate: 1 }, 'rate');
});

test("a message behind its destination's own rate limit says so too", async () => {
  await call('per-destination', 'own-0', quick.url('/well'));
  await call('per-destination', 'own-1', quick.url('/well'));
  await call('per-destination', 'own-2', quick.url('/well'));
  const { waitingFor } = await explained('own-2', 'per-destination', 2, 'rate');
  expect(inFuture(waitingFor[0]?.until ?? null)).toBe(true);
  expect(waitingFor.find(({ reason }) => reason === 'turn')?.detail).toMatch(/^1 ready before it/);
  await untilBacklog(bigpipe, { rate: 2 }, 'per-destination');
});

test('a message behind the concurrency says how many of how many are in flight, and no end', async () => {
  await call('concurrency', 'conc-0', held.url());
  await held.untilWaiting('conc-0');
  await call('concurrency', 'conc-1', held.url());
  const { waitingFor, estimate } = await explained('conc-1', 'concurrency', 1, 'concurrency');
  expect(waitingFor[0]).toMatchObject({ reason: 'concurrency', until: null });
  expect(waitingFor[0]?.detail).toContain('1 of 1 in flight');
  expect(estimate).toBeNull();
  const inFlight = await explain(bigpipe, { id: 'conc-0' });
  expect(inFlight).toMatchObject({ state: 'in flight', attempt: 1, maxAttempts: 3, waitingFor: [], estimate: null });
  expect(inFlight.destination).toBe(new URL(held.url()).origin);
  await untilBacklog(bigpipe, { inFlight: 1, concurrency: 1 }, 'concurrency');
});

test('a message behind an open circuit says so, and when the next probe is due', async () => {
  await call('circuit', 'circuit-0', quick.url('/ill'));
  await call('circuit', 'circuit-1', quick.url('/ill'));
  await until('it is open', async () => (await stateOf(bigpipe, quick.url(), 'circuit'))?.state === 'open');
  await call('circuit', 'circuit-2', quick.url('/ill'));
  const { waitingFor, estimate } = await explained('circuit-2', 'circuit', 2, 'circuit');
  expect(waitingFor[0]?.detail).toContain('open');
  const state = await stateOf(bigpipe, quick.url(), 'circuit');
  expect(isSameMoment(waitingFor[0]?.until, state?.nextChange)).toBe(true);
  expect(inFuture(estimate)).toBe(true);
  await untilBacklog(bigpipe, { circuit: 1, delayed: 2 }, 'circuit');
});

test('a message behind another of its key says behind which one', async () => {
  await call('order', 'order-0', held.url(), { partition_key: 'k' });
  await held.untilWaiting('order-0');
  await call('order', 'order-1', held.url(), { partition_key: 'k' });
  const { waitingFor, estimate } = await explained('order-1', 'order', 1, 'order');
  expect(waitingFor).toEqual([{ reason: 'order', detail: 'behind order-0 at 0', until: null }]);
  expect(estimate).toBeNull();
  await untilBacklog(bigpipe, { inFlight: 1, order: 1 }, 'order');
});

test('a message that waits for its retry says which attempt of how many, after what, and when', async () => {
  await call('retry', 'retry-0', quick.url('/ill'));
  const { waitingFor, estimate, attempt } = await explained('retry-0', 'retry', 0, 'retry');
  expect(attempt).toBe(2);
  expect(waitingFor[0]?.detail).toContain('attempt 2 of 3 after a status');
  expect(inFuture(waitingFor[0]?.until ?? null)).toBe(true);
  expect(isSameMoment(estimate, waitingFor[0]?.until)).toBe(true);
  await untilBacklog(bigpipe, { delayed: 1 }, 'retry');
});

test('a message for a destination that sent Retry-After says until when', async () => {
  await call('retry-after', 'later-0', quick.url('/later'));
  const { waitingFor } = await explained('later-0', 'retry-after', 0, 'retry-after');
  expect(inFuture(waitingFor.find(({ reason }) => reason === 'retry-after')?.until ?? null)).toBe(true);
  await untilBacklog(bigpipe, { 'retry-after': 1 }, 'retry-after');
});

test('a retry that must let first attempts go says that it waits for the budget', async () => {
  await call('budget', 'budget-0', held.url());
  await held.untilWaiting('budget-0');
  for (const i of [1, 2, 3]) await call('budget', `budget-${i}`, held.url());
  await untilBacklog(bigpipe, { inFlight: 1, concurrency: 3 }, 'budget');
  held.answer('budget-0', 503);
  await held.untilWaiting('budget-1');
  // The retry is due by now, or will be in a moment; it is asked for when the next place comes free.
  await untilBacklog(bigpipe, { inFlight: 1, concurrency: 3 }, 'budget');
  held.answer('budget-1');
  await held.untilWaiting('budget-2');
  const { waitingFor, attempt } = await explained('budget-0', 'budget', 0, 'budget');
  expect(attempt).toBe(2);
  expect(waitingFor.find(({ reason }) => reason === 'budget')?.detail).toContain('0 %');
  await untilBacklog(bigpipe, { inFlight: 1, concurrency: 1, budget: 1 }, 'budget');
  expect(reasonsOf(await explain(bigpipe, { id: 'budget-3' }))).not.toContain('budget');
});

test('a message for a destination that is warming up says so', async () => {
  await call('warm-up', 'warm-0', quick.url('/well'));
  await call('warm-up', 'warm-1', quick.url('/well'));
  const { waitingFor } = await explained('warm-1', 'warm-up', 1, 'warm-up');
  expect(inFuture(waitingFor[0]?.until ?? null)).toBe(true);
  await untilBacklog(bigpipe, { 'warm-up': 1 }, 'warm-up');
});

test('a message that is not read yet says how many come before it, and what fills the window', async () => {
  const count = 6;
  const fields = { data: 'x'.repeat(3_000_000) };
  await call('unread', 'unread-0', held.url());
  await held.untilWaiting('unread-0');
  for (let i = 1; i < count; i += 1) await call('unread', `unread-${i}`, held.url(), fields);
  const last = { topic: 'unread', partition: '0', offset: `${count - 1}` };
  const { state, waitingFor, estimate } = await until('the last one is not read', async () => {
    const now = await explain(bigpipe, last);
    return now.state === 'unread' && reasonsOf(now).includes('window') ? now : null;
  });
  expect([state, estimate]).toEqual(['unread', null]);
  expect(waitingFor.map(({ reason }) => reason)).toEqual(['backlog', 'window']);
  expect(waitingFor[0]?.detail).toMatch(/^\d+ messages of the partition come before it$/);
  expect(waitingFor[1]?.detail).toContain('the oldest is unread-0');
  expect(await explain(bigpipe, { id: `unread-${count - 1}` })).toMatchObject({
    state: 'unread',
    offset: `${count - 1}`,
  });
  const row = await subscriptionStats(bigpipe, 'unread');
  const { unread = 0, inFlight = 0, concurrency = 0, ...others } = waitingCounts(row);
  expect(unread).toBeGreaterThan(0);
  expect({ inFlight, others }).toEqual({ inFlight: 1, others: {} });
  expect(unread + inFlight + concurrency).toBe(count);
});

test('a settled message is settled, by position and by id; what was never stored is nowhere', async () => {
  await call('settled', 'settled-0', quick.url('/well'));
  await untilBacklog(bigpipe, {}, 'settled');
  const position = { topic: 'settled', partition: '0', offset: '0' };
  const { state, waitingFor } = await until('it is settled', async () => {
    const now = await explain(bigpipe, position);
    return now.state === 'settled' ? now : null;
  });
  expect([state, waitingFor]).toEqual(['settled', []]);
  expect(await explain(bigpipe, { id: 'settled-0' })).toMatchObject({ ...position, partition: 0, state: 'settled' });
  const response = await getExplain(bigpipe, { id: 'settled-1' });
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('settled-1');
});

test('each subscription of a topic has its own answer', async () => {
  await call('two', 'two-0', held.url());
  await until('both have sent it', () => held.waiting.filter((id) => id === 'two-0').length === 2);
  for (const query of [{ id: 'two-0' }, { topic: 'two', partition: '0', offset: '0' }] as Record<string, string>[]) {
    const { deliveries } = (await (await getExplain(bigpipe, query)).json()) as { deliveries: Explained[] };
    expect(deliveries.map(({ groupId, state }) => `${groupId} ${state}`).sort()).toEqual([
      'G1 in flight',
      'G2 in flight',
    ]);
  }
});

test.each([
  [{}, 400, 'give id, or topic, partition and offset'],
  [{ partition: '0', offset: '0' }, 400, 'give id, or topic, partition and offset'],
  [{ topic: 'rate', offset: '0' }, 400, 'partition'],
  [{ topic: 'rate', partition: '0' }, 400, 'offset'],
  [{ topic: 'rate', partition: '-1', offset: '0' }, 400, 'partition'],
  [{ topic: 'rate', partition: '0', offset: '1.5' }, 400, 'offset'],
  [{ topic: 'rate', partition: '0', offset: '99999999999999999999' }, 400, 'offset'],
  [{ topic: 'nobody', partition: '0', offset: '0' }, 404, 'nobody'],
  [{ topic: 'rate', partition: '1', offset: '0' }, 404, 'partition 1'],
  [{ topic: 'settled', partition: '0', offset: '1' }, 404, 'offset 1'],
  [{ id: 'unknown-id' }, 404, 'unknown-id'],
] as [Record<string, string>, number, string][])(
  '%j is answered %i and says what is wrong: %s',
  async (query, status, text) => {
    const response = await getExplain(bigpipe, query);
    const { message } = (await response.json()) as { message: string };
    expect([response.status, message]).toEqual([status, expect.stringContaining(text)]);
  },
);

test('callers cannot ask: the main listener does not serve it', async () => {
  // Where it is served, a question without a subject is answered 400.
  expect((await getExplain(bigpipe, {})).status).toBe(400);
  expect((await fetch(`${bigpipe.origin}/explain`)).status).toBe(404);
});
