// Subscriptions that change while they deliver: limits where they stand, the rest by a drain and a new start; nothing is lost or repeated.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { HeldTarget } from '../support/held-target.js';
import { configCounters, configPage, replaceConfig, untilCounted } from '../support/live-config.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { accepted, explain, isSameMoment, stateOf, subscriptionStats, waitingCounts } from '../support/why-waiting.js';

/** No wait of a test ends by itself within these milliseconds. */
const never = 3_600_000;

let bigpipe: BigpipeProcess;
let target: TargetServer;
let held: HeldTarget;
let changes: number;

beforeEach(async () => {
  [target, held] = [await TargetServer.start(), await HeldTarget.start()];
  changes = 0;
});

afterEach(async () => {
  await bigpipe.dispose();
  await Promise.all([target.close(), held.close()]);
});

const topicOf = (partitions: number): Config => ({ 'kafka.topics': [{ name: 'test', partitions }] });

/** One subscription of a topic with one partition, unless told otherwise. */
const configOf = (consumer: Config, rest: Config = {}): Config =>
  baseConfig({ ...topicOf(1), 'kafka.consumer.list': [baseConsumer(consumer)], ...rest });

async function start(config: Config): Promise<void> {
  bigpipe = await BigpipeProcess.start({ config });
}

/** Resolves once it is in force; what must be drained for it may still be drained. */
async function change(config: Config): Promise<void> {
  changes += 1;
  await replaceConfig(bigpipe, config);
  await untilCounted(bigpipe, 'changed', changes);
}

const call = (id: string, url: string, fields: Config = {}) => accepted(bigpipe.call({ id, url, data: id, ...fields }));

const idsOf = ({ arrivals }: { readonly arrivals: TargetServer['arrivals'] }) =>
  arrivals.map(({ headers }) => String(headers['bigpipe-message-id']));

async function untilWaiting(reason: string, count: number): Promise<void> {
  let last: object = {};
  await until(`${count} wait for ${reason}`, async () => {
    // While it begins anew it is not there.
    last = waitingCounts((await subscriptionStats(bigpipe)) ?? { backlog: {} });
    return (last as Record<string, number>)[reason] === count;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}; found ${JSON.stringify(last)}`);
  });
}

/** Begins anew with each new start of the subscription, and counts what it has read. */
const readSoFar = async () => (await bigpipe.stats()).consumerStats[0]?.['handleMessage'];

async function ask(method: string, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
  const headers = { 'content-type': 'application/json' };
  const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
  const response = await until('it may be asked', async () => {
    const got = await fetch(`${bigpipe.management}${path}`, init);
    return got.status === 429 ? null : got;
  });
  return { status: response.status, answer: await response.json() };
}

/** Its next attempt is seconds away. */
const untilLongWait = (id: string) =>
  until(`${id} waits long`, async () => {
    const { waitingFor } = await explain(bigpipe, { id });
    return Date.parse(waitingFor[0]?.until ?? '') > Date.now() + 3000;
  });

describe('limits', () => {
  test('change where they stand, also for what waits: nobody leaves, nothing in flight is touched', async () => {
    const base = { concurrency: 50, timeout: never, retries: 1000, retryBackoff: [20] };
    await start(configOf(base));
    await call('pinned', held.url());
    await held.untilWaiting('pinned');

    // One token an hour: the bucket, full before, holds one now.
    await change(configOf({ ...base, rateLimit: 1 / 3600 }));
    for (let i = 0; i < 20; i += 1) await call(`rate-${i}`, target.url());
    await untilWaiting('rate', 19);
    await change(configOf({ ...base, rateLimit: 1 / 3000 }));
    await call('rate-20', target.url());
    // Another rate fills no bucket.
    await untilWaiting('rate', 20);
    expect(target.arrivals).toHaveLength(1);
    await change(configOf(base));
    await until('all are let through', () => target.arrivals.length === 21);

    // The only slot is the pinned one's.
    await change(configOf({ ...base, concurrency: 1 }));
    for (let i = 0; i < 10; i += 1) await call(`slot-${i}`, target.url());
    await untilWaiting('concurrency', 10);
    await change(configOf(base));
    await until('all have a slot', () => target.arrivals.length === 31);

    await change(configOf({ ...base, destination: { concurrency: 1 } }));
    const slow = await HeldTarget.start();
    for (const id of ['d0', 'd1', 'd2', 'd3']) await call(id, slow.url());
    await slow.untilWaiting('d0');
    await untilWaiting('concurrency', 3);
    await change(configOf({ ...base, destination: { concurrency: 3 } }));
    await slow.untilWaiting('d1', 'd2');
    await untilWaiting('concurrency', 1);
    await change(configOf(base));
    await slow.untilWaiting('d0', 'd1', 'd2', 'd3');
    slow.open();
    await untilWaiting('inFlight', 1);
    await slow.close();

    // It waits for its slot with the old timeout, and goes with the new one.
    await change(configOf({ ...base, concurrency: 1 }));
    const silent = await HeldTarget.start();
    await call('impatient', silent.url());
    await untilWaiting('concurrency', 1);
    await change(configOf({ ...base, timeout: 300 }));
    const isLate = ({ headers }: { headers: object }) => Reflect.get(headers, 'bigpipe-redelivery') === 'timeout';
    await until('it came again', () => silent.arrivals.some(isLate));
    silent.open();
    await untilWaiting('inFlight', 1);
    await silent.close();

    expect(held.waiting).toEqual(['pinned']);
    held.answer('pinned');
    expect(idsOf(held).filter((id) => id === 'pinned')).toHaveLength(1);
    // One reading of one membership: every message once, nothing before forgotten.
    await untilWaiting('inFlight', undefined as never);
    expect(await readSoFar()).toBe(1 + 21 + 10 + 4 + 1);
    expect(await configCounters(bigpipe)).toMatchObject({ refused: 0, adjustFailed: 0 });
  });

  test('of retries hold for what is being tried: fewer give up, another backoff is the next one', async () => {
    target.script = (_arrival, response) => void response.writeHead(500).end();
    const base = { retries: 1000, retryBackoff: [20] };
    await start(configOf(base));
    await call('a', target.url());
    await until('it is tried again and again', () => target.arrivals.length > 3);
    await change(configOf({ ...base, retryBackoff: [9000] }));
    await untilLongWait('a');
    const before = target.arrivals.length;
    await call('b', target.url());
    await untilLongWait('b');
    expect(target.arrivals.length).toBe(before + 1);
    await change(configOf({ ...base, retries: 0 }));
    await untilStats(bigpipe, 'both are dead letters', ({ clientStats }) => clientStats['test']?.['deadLetters'] === 2);
    expect(target.arrivals.length).toBe(before + 3);
    expect(await readSoFar()).toBe(2);
  });

  test('leave an open circuit open, until there is none', async () => {
    target.script = (_arrival, response) => void response.writeHead(500).end();
    const circuit = { breakPeriod: 3600, recoverPeriod: 1, winSize: 5, minStats: 5, healthRate: 0.5 };
    const base = { retries: 1000, retryBackoff: [1], circuitBreaker: circuit };
    await start(configOf(base));
    for (let i = 0; i < 20; i += 1) await call(`c${i}`, target.url());
    await until('it is open', async () => (await stateOf(bigpipe, target.url()))?.state === 'open');
    const { since } = (await stateOf(bigpipe, target.url())) ?? {};
    target.script = (_arrival, response) => void response.end();
    await change(configOf({ ...base, rateLimit: 5000 }));
    await change(configOf({ ...base, rateLimit: 5000, concurrency: 7, timeout: 1000 }));
    const still = await stateOf(bigpipe, target.url());
    expect(still?.state).toBe('open');
    expect(isSameMoment(still?.since, since)).toBe(true);
    expect(bigpipe.log.filter(({ msg }) => msg === 'circuit open')).toHaveLength(1);
    await change(configOf({ retries: 1000, retryBackoff: [1] }));
    await until('without a circuit all are delivered', () => target.countById().size === 20);
    expect(await readSoFar()).toBe(20);
  });

  test('of a circuit hold also for one that is open: a shorter breakPeriod brings the probe', async () => {
    target.script = (_arrival, response) => void response.writeHead(500).end();
    const circuit = { breakPeriod: 3600, recoverPeriod: 1, winSize: 5, minStats: 5, healthRate: 0.5 };
    const base = { retries: 1000, retryBackoff: [1] };
    await start(configOf({ ...base, circuitBreaker: circuit }));
    for (let i = 0; i < 20; i += 1) await call(`c${i}`, target.url());
    await until('it is open', async () => (await stateOf(bigpipe, target.url()))?.state === 'open');
    const before = target.arrivals.length;
    await change(configOf({ ...base, circuitBreaker: { ...circuit, breakPeriod: 1 } }));
    await until('a probe is sent', () => target.arrivals.length > before, 5000);
  });

  test('of a destination that had none count what is in flight already', async () => {
    await start(configOf({ timeout: never }));
    await call('a', held.url());
    await held.untilWaiting('a');
    await change(configOf({ timeout: never, destination: { concurrency: 1 } }));
    await call('b', held.url());
    await untilWaiting('concurrency', 1);
    expect(held.waiting).toEqual(['a']);
  }, 30_000);
});

describe('a consumer', () => {
  const second = { name: 'system-2', secret: 'second', topic: 'other' };
  const two = (rest: Config = {}): Config =>
    configOf(
      {},
      {
        'kafka.topics': [
          { name: 'test', partitions: 1 },
          { name: 'other', partitions: 2 },
        ],
        'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test' }, second],
        'kafka.consumer.list': [baseConsumer(), baseConsumer({ topic: 'other', groupId: 'G2' })],
        ...rest,
      },
    );
  const callOther = (id: string, url: string) => call(id, url, { acl: { name: second.name, secret: second.secret } });

  test('that is added together with its topic and its caller delivers', async () => {
    await start(configOf({}));
    await call('before', target.url());
    await change(two());
    const fields = { url: target.url(), acl: { name: second.name, secret: second.secret } };
    await until('the new caller is let in', async () => (await bigpipe.call(fields)).body.errno === 0);
    for (let i = 0; i < 9; i += 1) await callOther(`new-${i}`, target.url());
    await until('all have come', () => target.arrivals.length === 11);
    expect(target.countById().size).toBe(11);
    // The other one has not been opened anew.
    expect(await readSoFar()).toBe(1);
  });

  test('that is removed ends its call in flight, once; what comes later waits until it is back', async () => {
    const without = two({ 'kafka.consumer.list': [baseConsumer()] });
    await start(two());
    await callOther('in-flight', held.url());
    await held.untilWaiting('in-flight');
    await change(without);
    await callOther('later', held.url());
    await call('beside', target.url());
    await until('the other one delivers', () => target.arrivals.length === 1);
    expect(held.waiting).toEqual(['in-flight']);
    held.answer('in-flight');
    await until('it has left', async () => (await subscriptionStats(bigpipe, 'other')) === undefined);
    await callOther('much-later', held.url());
    expect(idsOf(held)).toEqual(['in-flight']);
    await change(two());
    await held.untilWaiting('later', 'much-later');
    held.open();
    expect(idsOf(held).sort()).toEqual(['in-flight', 'later', 'much-later']);
    expect(held.arrivals.map(({ headers }) => headers['bigpipe-redelivery'])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    // Neither a restart brings anything again.
    await untilStats(bigpipe, 'all are settled', ({ clientStats }) => clientStats['other']?.['rpcSuccess'] === 3);
    await bigpipe.end('SIGTERM');
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    await callOther('after', held.url());
    await until('the newest has come', () => idsOf(held).includes('after'));
    expect(held.arrivals).toHaveLength(4);
  });

  test('that goes and comes back again and again under load delivers all, each once', async () => {
    const without = two({ 'kafka.consumer.list': [baseConsumer()] });
    await start(two());
    target.script = (_arrival, response) => void setTimeout(() => response.end(), 5);
    let calls = 0;
    let isOver = false;
    const calling = (async () => {
      for (; !isOver; calls += 1) await callOther(`n${calls}`, target.url());
    })();
    for (let round = 0; round < 4; round += 1) {
      await change(without);
      await change(two());
    }
    isOver = true;
    await calling;
    await until('all have come', () => target.countById().size === calls);
    expect([...target.countById().values()].filter((count) => count > 1)).toEqual([]);
  });
});

describe('what a subscription cannot live through is a drain and a new start', () => {
  const keys = 12;

  /** Calls with a key each, the next of a key once the one before was accepted, until told to end; how many of each key. */
  function callOn(): { end: () => Promise<number[]> } {
    let isOver = false;
    const all = Array.from({ length: keys }, async (_, key) => {
      let number = 0;
      for (; !isOver; number += 1) await call(`k${key}-${number}`, target.url(), { partition_key: `k${key}` });
      return number;
    });
    const end = () => {
      isOver = true;
      return Promise.all(all);
    };
    return { end };
  }

  /** In the order in which they came, without repeats. */
  function numbersOf(key: number): number[] {
    const own = idsOf(target).filter((id) => id.startsWith(`k${key}-`));
    return own.map((id) => Number(id.slice(id.indexOf('-') + 1)));
  }

  async function expectAll(counts: readonly number[]): Promise<void> {
    const sum = counts.reduce((all, count) => all + count, 0);
    await until('all have come', () => target.countById().size === sum, 60_000);
    expect(target.arrivals).toHaveLength(sum);
    expect(sum).toBeGreaterThan(20);
  }

  const named = { destinations: [] as Config[] };

  beforeEach(() => {
    target.script = (_arrival, response) => void setTimeout(() => response.end(), Math.random() * 20);
    named.destinations = [{ name: 'shop', origins: [new URL(target.url()).origin] }];
  });

  test('ordering, destinations and the dead-letter topic: nothing lost, nothing twice, each key in order', async () => {
    await start(configOf({}, topicOf(3)));
    const load = callOn();
    const steps: Config[] = [
      { ordering: 'partition' },
      { ordering: 'partition', ...named },
      { ...named },
      { ...named, deadLetterTopic: 'graveyard' },
      { deadLetterTopic: false },
      {},
      { ordering: 'partition' },
      {},
    ];
    for (const step of steps) await change(configOf(step, topicOf(3)));
    const counts = await load.end();
    await expectAll(counts);
    counts.forEach((count, key) => {
      expect(numbersOf(key)).toEqual(Array.from({ length: count }, (_, i) => i));
    });
  });

  test("a topic's partitions: nothing lost, nothing twice, order among those stored under one number", async () => {
    await start(configOf({}, topicOf(2)));
    const load = callOn();
    for (const partitions of [5, 3, 7]) await change(configOf({}, topicOf(partitions)));
    const counts = await load.end();
    await expectAll(counts);
    await change(configOf({}, topicOf(1)));
    const isWritten = (line: object) => JSON.stringify(line).includes('is now written to 1');
    await until('calls go to the one that is left', () => bigpipe.log.some(isWritten));
    const before = target.arrivals.length;
    const after = callOn();
    await until('some have come', () => target.arrivals.length > before + 100);
    const more = await after.end();
    await until('all have come', () => target.arrivals.length === before + more.reduce((all, one) => all + one, 0));
    more.forEach((count, key) => {
      const own = idsOf({ arrivals: target.arrivals.slice(before) }).filter((id) => id.startsWith(`k${key}-`));
      expect(own).toEqual(Array.from({ length: count }, (_, i) => `k${key}-${i}`));
    });
  });

  const numbersUpTo = (count: number) => Array.from({ length: count }, (_, i) => i);

  /** The numbers that were answered 200, by key. */
  function noteDelivered(): Map<string, number[]> {
    const delivered = new Map<string, number[]>();
    target.script = ({ headers }, response) => {
      const [key = '', number] = String(headers['bigpipe-message-id']).split('-');
      delivered.set(key, [...(delivered.get(key) ?? []), Number(number)]);
      response.end();
    };
    return delivered;
  }

  for (const [from, to] of [
    ['key', 'partition'],
    ['partition', 'key'],
  ]) {
    test(`ordering from ${from} to ${to} while messages stand in the overflow: each key in order`, async () => {
      target.script = (_arrival, response) => void response.writeHead(500).end();
      const base = { retries: 1000, retryBackoff: [20], retryBudget: { percent: 100 } };
      await start(configOf({ ...base, ordering: from }));
      const each = 120;
      const callers = numbersUpTo(20).map(async (key) => {
        for (let i = 0; i < each; i += 1) await call(`k${key}-${i}`, target.url(), { partition_key: `k${key}` });
      });
      await Promise.all(callers);
      await until('some stand in the overflow', async () => {
        const { overflow = 0 } = waitingCounts(await subscriptionStats(bigpipe));
        return overflow > 100;
      });
      await change(configOf({ ...base, ordering: to }));
      await until('it is new', async () => bigpipe.log.some(({ msg }) => msg === 'configuration changed'));
      const delivered = noteDelivered();
      const late = 10;
      for (let key = 0; key < 20; key += 1) {
        for (let i = each; i < each + late; i += 1)
          await call(`k${key}-${i}`, target.url(), { partition_key: `k${key}` });
      }
      const all = 20 * (each + late);
      await until('all are delivered', () => [...delivered.values()].flat().length >= all, 60_000);
      for (const numbers of delivered.values()) expect(numbers).toEqual(numbersUpTo(each + late));
    }, 120_000);

    test(`ordering from ${from} to ${to} while a key is parked waits for a redrive`, async () => {
      target.script = ({ headers }, response) => {
        response.writeHead(headers['bigpipe-message-id'] === 'k-0' ? 400 : 200).end();
      };
      const base = { retries: 0, poison: 'park' };
      const next = configOf({ ...base, ordering: to });
      await start(configOf({ ...base, ordering: from }));
      for (const id of ['k-0', 'k-1', 'k-2']) await call(id, target.url(), { partition_key: 'k' });
      const letters = async () => ((await ask('GET', '/dlq')).answer as { open: number }[])[0]?.open;
      await until('the key is parked', async () => (await letters()) === 3);
      await replaceConfig(bigpipe, next);
      await untilCounted(bigpipe, 'refused', 1);
      expect((await configPage(bigpipe)).lastError?.faults).toEqual([expect.stringContaining('parked')]);
      const delivered = noteDelivered();
      for (const id of ['k-3', 'k-4']) await call(id, target.url(), { partition_key: 'k' });
      await until('they follow', async () => (await letters()) === 5);
      await ask('POST', '/dlq/test/G1/redrive', { canary: 1, abortIfFailRate: 1 });
      await until('all are delivered', () => delivered.get('k')?.length === 5);
      const page = async () => JSON.stringify((await ask('GET', '/dlq')).answer);
      await until('the key is free', async () => (await page()).includes('"parkedKeys":[]'));
      await change(next);
      await call('k-5', target.url(), { partition_key: 'k' });
      await until('it goes on', () => delivered.get('k')?.length === 6);
      expect(delivered.get('k')).toEqual(numbersUpTo(6));
    });
  }

  // Nobody refuses a file at the start, and nothing says that what is parked hangs on the ordering before.
  test.fails('a start with another ordering while a key is parked holds its later calls, too', async () => {
    target.script = ({ headers }, response) => {
      response.writeHead(headers['bigpipe-message-id'] === 'k-0' ? 400 : 200).end();
    };
    const base = { retries: 0, poison: 'park' };
    await start(configOf(base));
    for (const id of ['k-0', 'k-1']) await call(id, target.url(), { partition_key: 'k' });
    const letters = async () => ((await ask('GET', '/dlq')).answer as { open: number }[])[0]?.open;
    await until('the key is parked', async () => (await letters()) === 2);
    await bigpipe.end('SIGTERM');
    await replaceConfig(bigpipe, configOf({ ...base, ordering: 'partition' }));
    bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
    target.arrivals.length = 0;
    await call('k-2', target.url(), { partition_key: 'k' });
    await until('it is somewhere', async () => target.arrivals.length > 0 || (await letters()) === 3);
    expect(target.arrivals).toEqual([]);
  });

  test('what fails in between stays where it was: retries, letters and their numbers', async () => {
    target.script = (_arrival, response) => void response.writeHead(500).end();
    const base = { retries: 3, retryBackoff: [1, 1, never] };
    await start(configOf(base));
    await call('a', target.url(), { partition_key: 'k' });
    await call('b', target.url(), { partition_key: 'k' });
    await untilWaiting('retry', 1);
    target.script = (_arrival, response) => void response.end();
    await change(configOf({ ...base, ordering: 'partition' }));
    // The new start tries anew what waited.
    await until('both are delivered', () => idsOf(target).includes('b'));
    expect(idsOf(target).slice(-2)).toEqual(['a', 'b']);
  });
});

describe('a change that comes while a new start is still being drained for', () => {
  const slow = { timeout: never };
  const rateInForce = async (rateLimit: number) => {
    const page = (await ask('GET', '/config')).answer as { settings: { 'kafka.consumer.list': Config[] } };
    expect(page.settings['kafka.consumer.list'][0]?.['rateLimit']).toBe(rateLimit);
  };

  test('of limits is in force after it, too', async () => {
    await start(configOf(slow));
    await call('in-flight', held.url());
    await held.untilWaiting('in-flight');
    await change(configOf(slow, topicOf(2)));
    await change(configOf({ ...slow, rateLimit: 1 / 3600 }, topicOf(2)));
    held.open();
    await until('it is new', async () => (await readSoFar()) === 0);
    for (let i = 0; i < 5; i += 1) await call(`c${i}`, target.url());
    await rateInForce(1 / 3600);
    await untilWaiting('rate', 4);
  }, 30_000);

  test('back to what it was is in force after it, too', async () => {
    await start(configOf(slow));
    await call('in-flight', held.url());
    await held.untilWaiting('in-flight');
    await change(configOf({ ...slow, ordering: 'partition' }));
    await change(configOf(slow));
    held.open();
    await until('it is new', async () => (await readSoFar()) === 0);
    const well = await HeldTarget.start();
    await call('k', well.url(), { partition_key: 'k' });
    await well.untilWaiting('k');
    await call('l', well.url(), { partition_key: 'l' });
    await well.untilWaiting('k', 'l');
    await well.close();
  }, 40_000);

  test('of another subscription waits for no receiver of this one', async () => {
    const other = baseConsumer({ groupId: 'G2' });
    await start(configOf(slow));
    await call('in-flight', held.url());
    await held.untilWaiting('in-flight');
    await change(configOf({}, { 'kafka.consumer.list': [] }));
    await change(configOf({}, { 'kafka.consumer.list': [other] }));
    await call('next', target.url());
    await until('the new one delivers', () => target.arrivals.length > 0, 5000);
  });
});

describe('dead letters', () => {
  const place = '/dlq/test/G1';
  const parkedKeys = async () => ((await ask('GET', '/dlq')).answer as { parkedKeys: object[] }[])[0]?.parkedKeys;
  const openLetters = async () => ((await ask('GET', '/dlq')).answer as { open: number }[])[0]?.open;
  const rejectsBad = (): void => {
    target.script = ({ headers }, response) => {
      response.writeHead(String(headers['bigpipe-message-id']).startsWith('bad') ? 400 : 200).end();
    };
  };
  const delivered: string[] = [];
  const becomesWell = (): void => {
    delivered.length = 0;
    target.script = ({ headers }, response) => {
      delivered.push(String(headers['bigpipe-message-id']));
      response.end();
    };
  };
  const redrive = (order: object = { canary: 1, abortIfFailRate: 1 }) => ask('POST', `${place}/redrive`, order);
  const untilEnded = () =>
    until('the redrive has ended', async () => {
      const { answer } = await ask('GET', `${place}/redrive`);
      return (answer as { state: string }).state === 'running' ? null : answer;
    });

  test('park in place of skip: from the next poisoned message on its key follows, and comes back in order', async () => {
    await start(configOf({ retries: 0 }));
    rejectsBad();
    await call('bad-0', target.url(), { partition_key: 'k' });
    await call('k-1', target.url(), { partition_key: 'k' });
    await until('skipped', () => idsOf(target).includes('k-1'));
    await change(configOf({ retries: 0, poison: 'park' }));
    for (const id of ['bad-2', 'k-3', 'k-4']) await call(id, target.url(), { partition_key: 'k' });
    await call('other', target.url(), { partition_key: 'o' });
    await until('the key is parked', async () => (await parkedKeys())?.length === 1 && (await openLetters()) === 4);
    expect(idsOf(target)).toEqual(['bad-0', 'k-1', 'bad-2', 'other']);
    // Whoever is parked stays so until a redrive, whatever holds for others now.
    await change(configOf({ retries: 0, poison: 'skip' }));
    await call('k-5', target.url(), { partition_key: 'k' });
    await until('it follows its key', async () => (await openLetters()) === 5);
    becomesWell();
    await redrive();
    await untilEnded();
    expect(delivered).toEqual(['bad-0', 'bad-2', 'k-3', 'k-4', 'k-5']);
    expect(await parkedKeys()).toEqual([]);
    await call('k-6', target.url(), { partition_key: 'k' });
    await until('its key is free', () => delivered.includes('k-6'));
  });

  async function fillLetters(count: number): Promise<void> {
    rejectsBad();
    for (let i = 0; i < count; i += 1) await call(`bad-${i}`, target.url(), { partition_key: `k${i % 7}` });
    await until('all are letters', async () => (await openLetters()) === count);
    becomesWell();
  }

  test('limits change under a redrive, which goes on', async () => {
    await start(configOf({ retries: 0 }));
    await fillLetters(150);
    await redrive({ rate: 50, canary: 1, abortIfFailRate: 1 });
    await until('some have come', () => delivered.length > 10);
    await change(configOf({ retries: 1, rateLimit: 500, concurrency: 20 }));
    expect((await ask('GET', `${place}/redrive`)).answer).toMatchObject({ state: 'running' });
    expect(await untilEnded()).toMatchObject({ state: 'done', delivered: 150, failed: 0 });
    expect(delivered).toHaveLength(150);
    expect(await openLetters()).toBe(0);
  });

  test('a new start ends a redrive; what it has not sent stays and comes with the next one', async () => {
    await start(configOf({ retries: 0 }));
    await fillLetters(150);
    await redrive({ rate: 20, canary: 1, abortIfFailRate: 1 });
    await until('some have come', () => delivered.length > 10);
    await change(configOf({ retries: 0, ordering: 'partition' }));
    // Until it is there again nobody knows of it.
    const again = await until('it takes orders again', async () => {
      if ((await ask('GET', `${place}/redrive`)).status !== 404) return null;
      const { status, answer } = await redrive();
      return status < 300 ? answer : null;
    });
    expect((again as { total: number }).total).toBeGreaterThan(0);
    await untilEnded();
    expect(new Set(delivered).size).toBe(150);
    expect(delivered).toHaveLength(150);
  });
});
