// A dead receiver with nine tenths of all calls: the others get theirs meanwhile, and back again it gets its own, in order and once.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { type Health, MortalTarget } from '../support/mortal-target.js';
import { untilStats } from '../support/stats-page.js';
import { until } from '../support/until.js';
import { type SubscriptionStats, subscriptionStats, untilBacklog } from '../support/why-waiting.js';

const keys = 100;
const callsOfKey = 120;
const calls = keys * callsOfKey;
const circuitBreaker = { breakPeriod: 1, recoverPeriod: 2, winSize: 5, minStats: 20, healthRate: 0.5 };

interface Kind {
  readonly name: string;
  readonly health: Health;
  readonly consumer: Config;
  /** What its calls that were read wait for besides the overflow, one of these at least. */
  readonly reasons: readonly string[];
}

const kinds: readonly Kind[] = [
  { name: 'refuses connections', health: 'gone', consumer: {}, reasons: ['retry', 'budget'] },
  { name: 'never answers', health: 'silent', consumer: { timeout: 500 }, reasons: ['retry', 'budget', 'inFlight'] },
  { name: 'has its circuit open', health: 'fails', consumer: { circuitBreaker }, reasons: ['circuit'] },
];

let dead: MortalTarget;
let well: MortalTarget;
let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  await bigpipe?.dispose();
  await Promise.all([dead.close(), well.close()]);
});

/** Each key's calls one after another, every tenth to the healthy one. */
async function callAll(process: BigpipeProcess): Promise<void> {
  const ledger = new Ledger();
  const callOfKey = async (key: number) => {
    const next = { well: 0, dead: 0 };
    for (let i = 0; i < callsOfKey; i += 1) {
      const name = i % 10 === 9 ? 'well' : 'dead';
      const { url } = name === 'well' ? well : dead;
      await ledger.call(process, `${name}-${key}-${next[name]}`, { url, partition_key: `k${key}` });
      next[name] += 1;
    }
  };
  await Promise.all(Array.from({ length: keys }, (_, key) => callOfKey(key)));
  ledger.hangUp();
  expect(ledger.accepted.size).toBe(calls);
}

const rowOf = (stats: unknown) =>
  (stats as { readonly subscriptionStats: readonly SubscriptionStats[] }).subscriptionStats[0] as SubscriptionStats;

test.each(kinds)('while it $name the others get theirs, and back again it gets all of its own', async (kind) => {
  [dead, well] = await Promise.all([MortalTarget.start(kind.health), MortalTarget.start()]);
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.consumer.list': [baseConsumer({ retries: 1000, ...kind.consumer })] }),
  });
  await callAll(bigpipe);
  await until('the healthy one has all of its calls', () => well.delivered === calls / 10);
  expect(dead.delivered).toBe(0);
  const waiting = await untilStats(bigpipe, 'the page says where the others wait', (stats) => {
    const { backlog } = rowOf(stats);
    const isOnDisk = (backlog['overflow'] ?? 0) > calls / 2;
    const all = Object.values(backlog).reduce((sum, count) => sum + count, 0);
    return isOnDisk && all === (calls * 9) / 10 && kind.reasons.some((reason) => (backlog[reason] ?? 0) > 0);
  });
  console.log(`while it ${kind.name}: ${JSON.stringify(rowOf(waiting).backlog)}`);
  await dead.become('well');
  try {
    await until('the dead one has all of its calls', () => dead.delivered === (calls * 9) / 10, 40_000);
  } finally {
    console.log(`${dead.delivered} delivered: ${JSON.stringify((await subscriptionStats(bigpipe)).backlog)}`);
  }
  await untilBacklog(bigpipe, {});
  expect([...dead.faults, ...well.faults]).toEqual([]);
  expect([dead.repeats, well.repeats]).toEqual([0, 0]);
  const { clientStats } = await bigpipe.stats();
  expect(clientStats['test']).toMatchObject({ rpcTotal: calls, rpcSuccess: calls, rpcFail: 0, deadLetters: 0 });
  expect(await bigpipe.end('SIGTERM')).toBe(0);
});

/** All of the first calls are the dead one's, each with a key of its own, and more than the windows of all partitions hold. */
const deadFirst = 5000;
const wellBehind = 100;

async function callDeadFirst(process: BigpipeProcess): Promise<void> {
  const ledger = new Ledger();
  const callSome = async (name: string, url: string, count: number) => {
    let next = 0;
    const caller = async () => {
      for (let i = next; i < count; i = next) {
        next += 1;
        await ledger.call(process, `${name}${i}-0`, { url, partition_key: `${name}${i}` });
      }
    };
    await Promise.all(Array.from({ length: keys }, caller));
  };
  await callSome('dead', dead.url, deadFirst);
  await callSome('well', well.url, wellBehind);
  ledger.hangUp();
  expect(ledger.accepted.size).toBe(deadFirst + wellBehind);
}

async function aloneInTheWindows({ name, health, consumer }: Kind): Promise<void> {
  [dead, well] = await Promise.all([MortalTarget.start(health), MortalTarget.start()]);
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.consumer.list': [baseConsumer({ retries: 1000, ...consumer })] }),
  });
  await callDeadFirst(bigpipe);
  try {
    await until('the healthy one has all of its calls', () => well.delivered === wellBehind);
  } finally {
    const { backlog } = await subscriptionStats(bigpipe);
    console.log(`while it ${name}: ${well.delivered} of ${wellBehind} delivered, ${JSON.stringify(backlog)}`);
  }
  await dead.become('well');
  await until('the dead one has all of its calls', () => dead.delivered === deadFirst);
  expect([...dead.faults, ...well.faults]).toEqual([]);
  expect([dead.repeats, well.repeats]).toEqual([0, 0]);
}

const [gone, silent, open] = kinds as [Kind, Kind, Kind];

test.each([silent, open])(
  'alone in the windows, while it $name, it does not hold up who comes behind',
  aloneInTheWindows,
);

// Without peers it may use all of the subscription's concurrency, and seemed only to wait for its turn.
test.each([gone, { ...open, name: 'answers 500', consumer: {} }])(
  'alone in the windows, while it $name, it does not hold up who comes behind',
  aloneInTheWindows,
);
