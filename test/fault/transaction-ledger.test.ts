// Transactions whose producers die between any two steps, over a bus that is killed again and again: the receiver has what the databases have.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { hasKafka, sharedKafka } from '../support/kafka-cluster.js';
import { Seeded } from '../support/seeded.js';
import { SimulatedProducers } from '../support/simulated-producers.js';
import { TargetServer } from '../support/target-server.js';
import { transactionConfig } from '../support/transactions.js';
import { until } from '../support/until.js';

/** TRANSACTIONS=10000 KILLS=25 for the whole of it: killed every few seconds. */
const transactions = Number(process.env['TRANSACTIONS'] ?? 150);
const kills = Number(process.env['KILLS'] ?? 2);
const seed = Number(process.env['SEED'] ?? 20_261_130);
const lanes = 12;
const boundMs = 60_000 + transactions * 60;

let target: TargetServer;
let bigpipe: BigpipeProcess;
let producers: SimulatedProducers;
let arrived: Set<string>;

const config = (changes: Config) =>
  baseConfig({
    'kafka.consumer.list': [baseConsumer({ retries: 20, timeout: 20_000 })],
    ...transactionConfig({
      'transaction.first.check': 200,
      'transaction.max.checks': 1000,
      'transaction.check.rate': 2000,
    }),
    ...changes,
  });

beforeEach(async () => {
  arrived = new Set();
  target = await TargetServer.start();
  const random = new Seeded(seed);
  producers = new SimulatedProducers(
    () => bigpipe,
    target.url(''),
    () => random.next(),
  );
  target.script = (arrival, response, socket) => {
    if (arrival.path === '/check') return producers.check(arrival, response, socket);
    arrived.add(arrival.body.toString());
    response.end();
    return undefined;
  };
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

async function runThrough(isOnKafka: boolean): Promise<void> {
  let next = 0;
  const killed = { count: 0 };
  const lane = async (key: string) => {
    while (next < transactions) {
      const number = next;
      next += 1;
      await producers.run(producers.orderOf(number, key));
    }
  };
  const killer = async () => {
    for (let kill = 1; kill <= kills; kill += 1) {
      await until('some more are through', () => next >= (transactions * kill) / (kills + 1), boundMs);
      await bigpipe.end('SIGKILL');
      const { directory } = bigpipe;
      bigpipe = await BigpipeProcess.start({ directory });
      killed.count += 1;
    }
  };
  await Promise.all([killer(), ...Array.from({ length: lanes }, (_, i) => lane(`key ${i}`))]);
  expect([killed.count, producers.contradictions]).toEqual([kills, []]);

  const stats = async () =>
    (await bigpipe.stats()) as unknown as { transactionStats: { undecided: number; finishing: number } };
  await until(
    'all are decided',
    async () => {
      const { transactionStats } = await stats();
      return transactionStats.undecided + transactionStats.finishing === 0;
    },
    boundMs,
  );
  const bodies = () => target.arrivals.filter(({ path }) => path === '/in').map(({ body }) => body.toString());
  const committed = [...producers.database.values()].flatMap(({ state, order }) =>
    state === 'commit' && order !== null ? [order.number] : [],
  );
  const wanted = new Set(committed.flatMap((number) => [`${number} 1`, `${number} 2`]));
  await until('all that was committed has arrived', () => [...wanted].every((body) => arrived.has(body)), boundMs);
  expect(bodies().filter((body) => !wanted.has(body))).toEqual([]);
  const firsts = [...new Set(bodies())];
  const places = new Map(firsts.map((body, at) => [body, at]));
  for (const number of committed) expect(places.get(`${number} 1`)).toBeLessThan(places.get(`${number} 2`) as number);
  for (const numbers of producers.answered.values()) {
    const at = numbers.map((number) => places.get(`${number} 1`) as number);
    expect(at).toEqual(at.toSorted((a, b) => a - b));
  }
  // In the embedded log the messages and the note that they are stored are one write.
  if (!isOnKafka) expect(idsTwiceStored()).toEqual([]);
}

/** A message that was stored twice arrives twice without a word of it being a repeat. */
function idsTwiceStored(): string[] {
  const seen = new Set<string>();
  return target.arrivals.flatMap(({ path, headers }) => {
    const id = String(headers['bigpipe-message-id']);
    if (path !== '/in') return [];
    const isAgain = seen.has(id);
    seen.add(id);
    return isAgain && headers['bigpipe-redelivery'] === undefined ? [id] : [];
  });
}

describe('both or neither', () => {
  test(
    'in the embedded log',
    async () => {
      bigpipe = await BigpipeProcess.start({ config: config({}) });
      await runThrough(false);
    },
    3 * boundMs,
  );

  test.skipIf(!hasKafka)(
    'on Kafka',
    async () => {
      const topic = `transactions-${process.pid}`;
      const onKafka = {
        'broker.driver': 'kafka',
        'kafka.bootstrap.servers': await sharedKafka(),
        'kafka.topics': [{ name: topic, partitions: 3 }],
        'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic }],
        'kafka.consumer.list': [baseConsumer({ topic, retries: 20, timeout: 20_000 })],
        'kafka.consumer.session.timeout': 6000,
      };
      bigpipe = await BigpipeProcess.start({ config: config(onKafka) });
      await runThrough(true);
    },
    5 * boundMs,
  );
});
