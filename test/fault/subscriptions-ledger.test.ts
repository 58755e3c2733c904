// Order per key and once a group: endpoints come and go every second, leases end in mid-delivery, a group is fetched from, and nodes are killed.
import { afterEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { hasKafka, sharedKafka } from '../support/kafka-cluster.js';
import { nodeConfig } from '../support/kafka-nodes.js';
import { SubscriptionStorm } from '../support/subscription-storm.js';
import { until } from '../support/until.js';

/** SUBSCRIPTION_KILLS=20 SUBSCRIPTION_MESSAGES=2000 for a longer one: so many are accepted before the next kill. */
const kills = Number(process.env['SUBSCRIPTION_KILLS'] ?? 2);
const messages = Number(process.env['SUBSCRIPTION_MESSAGES'] ?? 100);
const seed = Number(process.env['SUBSCRIPTION_SEED'] ?? 1);
const [keys, pauseMs, partitions] = [12, 100, 4];
const boundMs = 120_000;

const topic = `storm-${process.pid}`;
const [push, pull] = [`${topic}-push`, `${topic}-pull`];
const own: Config = {
  'kafka.topics': [{ name: topic, partitions }],
  'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic, pull: [pull] }],
  'kafka.consumer.list': [],
};

let storm: SubscriptionStorm | undefined;

afterEach(async () => {
  await storm?.close();
  storm = undefined;
});

async function run(config: Config, count: number): Promise<void> {
  const beginMs = performance.now();
  const phases: string[] = [];
  const over = (phase: string) => phases.push(`${phase} ${((performance.now() - beginMs) / 1000).toFixed(1)} s`);
  const nodes = await Promise.all(Array.from({ length: count }, () => BigpipeProcess.start({ config })));
  storm = new SubscriptionStorm({ nodes, topic, push, pull, keys, pauseMs, seed });
  const { sent, books } = storm;
  over('started');
  await storm.start();
  over('registered');
  for (let kill = 0; kill < kills; kill += 1) {
    const from = sent.accepted.size;
    await until('messages flow', () => sent.accepted.size >= from + messages, boundMs + messages * 100);
    over('flowed');
    await storm.kill(kill % count);
    over('killed');
  }
  const from = sent.accepted.size;
  await until('messages flow on', () => sent.accepted.size >= from + messages, boundMs + messages * 100);
  over('flowed');
  await storm.settle(boundMs);
  over('settled');
  console.log(`${storm.text}; ${phases.join(', ')}`);
  expect(storm.surprises).toEqual([]);
  for (const book of [books.push, books.pull]) expect([book.lost(), book.faults]).toEqual([[], []]);
}

const testMs = 300_000 + kills * (boundMs + messages * 100);

test('on the embedded log, which is killed', () => run(baseConfig(own), 1), testMs);

describe.skipIf(!hasKafka)('on Kafka', () => {
  test('two nodes, of which each is killed', async () => run(nodeConfig(await sharedKafka(), own), 2), testMs);
});
