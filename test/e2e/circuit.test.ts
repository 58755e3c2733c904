// The circuit breaker of one destination: it opens, probes, recovers and closes, loses nothing, and holds nobody else.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { accepted, explain, stateOf } from '../support/why-waiting.js';

const circuitBreaker = { breakPeriod: 1, recoverPeriod: 2, winSize: 5, minStats: 5, healthRate: 0.5 };
/** Two processes' timers are compared. */
const roundingMs = 20;

let sick: TargetServer;
let healthy: TargetServer;
let bigpipe: BigpipeProcess;
/** Requests that the sick one has and did not answer yet: now, and the most at any moment since the circuit was seen open. */
let open = 0;
let mostOpen = 0;

beforeEach(async () => {
  open = 0;
  mostOpen = 0;
  sick = await TargetServer.start();
  healthy = await TargetServer.start();
  const consumer = baseConsumer({ retries: 1000, retryBackoff: [1], timeout: 1000, concurrency: 20, circuitBreaker });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 1 }],
      'kafka.consumer.list': [consumer],
    }),
  });
});

afterEach(async () => {
  await bigpipe.dispose();
  await sick.close();
  await healthy.close();
});

/** What the sick one does with each request, counted while it is at it. */
function behave(answer: 'refuse' | 'keep silent' | 'be well'): void {
  sick.script = (_arrival, response) => {
    open += 1;
    mostOpen = Math.max(mostOpen, open);
    response.on('close', () => {
      open -= 1;
    });
    if (answer !== 'keep silent') response.writeHead(answer === 'refuse' ? 500 : 200).end();
  };
}

const state = () => stateOf(bigpipe, sick.url());

const lines = (msg: string) =>
  bigpipe.log.filter((line) => line['msg'] === msg && line['destination'] === new URL(sick.url()).origin);

const isBroken = async () => (await bigpipe.stats()).clientStats['test']?.['circuitIsBreak'];

async function callAll(count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      accepted(bigpipe.call({ id: `sick-${i}`, url: sick.url(), partition_key: i % 4 === 0 ? 'k' : '' })),
    ),
  );
}

/** Resolves once the circuit is open and what was sent before it opened has ended. */
async function untilOpen(): Promise<void> {
  await until('the circuit is open', async () => (await state())?.state === 'open');
  await until('only probes are left', async () => {
    const now = await state();
    return open === 0 && now?.state === 'open' && now.nextChange !== null;
  });
}

test('a receiver that fails opens its circuit, which log and statistics tell', async () => {
  behave('refuse');
  expect(await isBroken()).toBe(0);
  await callAll(30);
  await untilOpen();
  expect(await isBroken()).toBe(1);
  const [line] = lines('circuit open');
  expect(line).toMatchObject({ topic: 'test', group: 'G1', reason: expect.stringContaining('went well') });
  const { reason, since, nextChange } = (await state()) ?? {};
  expect(reason).toBe(line?.['reason']);
  expect(Date.parse(since ?? '')).toBeGreaterThan(0);
  expect(Date.parse(nextChange ?? '')).toBeGreaterThan(Date.parse(since ?? ''));
});

test('while it is open probes alone are sent, one at a time and breakPeriod apart, and other receivers get theirs', async () => {
  behave('refuse');
  await callAll(30);
  await untilOpen();
  mostOpen = 0;
  const before = sick.arrivals.length;
  await until('a probe was refused', () => sick.arrivals.length > before);
  behave('keep silent');
  await until('a probe is not answered', () => open > 0);
  // Its end is not known in advance, and nobody else goes before it.
  await until('the probe is told', async () => (await state())?.nextChange === null);
  for (let i = 0; i < 50; i += 1) {
    const fields = { id: `well-${i}`, url: healthy.url(), partition_key: i % 2 === 0 ? 'k' : '' };
    await accepted(bigpipe.call(fields));
  }
  await until('the healthy one has its calls', () => healthy.countById().size === 50);
  expect(await isBroken()).toBe(1);
  await until('a probe follows the silent one', () => sick.arrivals.length >= before + 3);
  expect(mostOpen).toBe(1);
  const times = sick.arrivals.slice(before).map(({ atMs }) => atMs);
  const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] as number));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(circuitBreaker.breakPeriod * 1000 - roundingMs);
  expect(healthy.arrivals.every(({ headers }) => headers['bigpipe-attempt'] === '1')).toBe(true);
  expect(healthy.arrivals).toHaveLength(50);
});

test('once the receiver is well the circuit recovers and closes, and every call is delivered in its order', async () => {
  const count = 60;
  behave('refuse');
  await callAll(count);
  await untilOpen();
  const delivered: string[] = [];
  behave('be well');
  const { script } = sick;
  sick.script = (arrival, response, socket) => {
    delivered.push(String(arrival.headers['bigpipe-message-id']));
    return script(arrival, response, socket);
  };
  await until('it recovers', async () => (await state())?.state === 'recovering');
  expect(await isBroken()).toBe(0);
  await until('it is closed and all is delivered', async () => {
    return (await state()) === undefined && new Set(delivered).size === count;
  });
  const told = bigpipe.log.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith('circuit '));
  expect(told).toEqual(['circuit open', 'circuit recovering', 'circuit closed']);
  // Each exactly once since it is well.
  expect(delivered).toHaveLength(count);
  const { rpcSuccess, rpcFail, deadLetters } = (await bigpipe.stats()).clientStats['test'] ?? {};
  expect({ rpcSuccess, rpcFail, deadLetters }).toEqual({ rpcSuccess: count, rpcFail: 0, deadLetters: 0 });
});

test('a receiver that fails again while it recovers is left alone at once', async () => {
  behave('refuse');
  await callAll(30);
  await untilOpen();
  let well = 3;
  sick.script = (_arrival, response) => {
    well -= 1;
    response.writeHead(well >= 0 ? 200 : 500).end();
  };
  await until('it is open again', () => lines('circuit open').length === 2);
  expect(lines('circuit recovering').length).toBe(1);
  expect(lines('circuit closed')).toEqual([]);
  behave('be well');
  await until('it is closed', () => lines('circuit closed').length === 1);
  await until('all are delivered', async () => (await bigpipe.stats()).clientStats['test']?.['rpcSuccess'] === 30);
});

test('a receiver that says no is well: a circuit counts only what is tried again', async () => {
  sick.script = (_arrival, response) => {
    response.writeHead(404).end();
  };
  await callAll(30);
  await until('all are dead letters', async () => (await bigpipe.stats()).clientStats['test']?.['deadLetters'] === 30);
  expect(await state()).toBeUndefined();
  expect(lines('circuit open')).toEqual([]);
});

test('a message behind an open circuit says so, and until when', async () => {
  behave('refuse');
  await callAll(10);
  await untilOpen();
  await accepted(bigpipe.call({ id: 'why', url: sick.url() }));
  const wait = await until('it waits for the circuit', async () => {
    const { waitingFor } = await explain(bigpipe, { id: 'why' });
    return waitingFor.find(({ reason, until: end }) => reason === 'circuit' && end !== null);
  });
  expect(wait.detail).toContain('open');
});
