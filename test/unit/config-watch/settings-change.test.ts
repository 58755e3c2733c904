// What modules that adjust entry by entry are told.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { loadSettings } from '#src/config-watch/load-settings.js';
import { subscriptionChange, topicChange } from '#src/config-watch/settings-change.js';
import { baseConfig, baseConsumer, type Config } from '../../support/bigpipe-process.js';
import { ConfigHome } from '../../support/config-home.js';

let home: ConfigHome;

beforeEach(() => {
  home = new ConfigHome();
});
afterEach(() => home.dispose());

const load = (changes: Config) => loadSettings(home.write(baseConfig(changes)), new Environment()).settings;
const consumers = (...list: Config[]) => load({ 'kafka.consumer.list': list.map((entry) => baseConsumer(entry)) });

test('subscriptions that came, went, changed and stayed', () => {
  const current = consumers({ groupId: 'went' }, { groupId: 'stays', successOn: [200] }, { groupId: 'changes' });
  const next = consumers(
    { groupId: 'changes', retries: 9 },
    { groupId: 'came' },
    { groupId: 'stays', successOn: [200] },
  );
  const { added, removed, changed } = subscriptionChange(current, next);
  expect(added.map(({ groupId }) => groupId)).toEqual(['came']);
  expect(removed.map(({ groupId }) => groupId)).toEqual(['went']);
  expect(changed).toEqual([{ current: current.subscriptions[2], next: next.subscriptions[0] }]);
});

test.each<Config>([
  { rateLimit: 1 },
  { successOn: [200] },
  { retryOn: ['5xx'] },
  { rejectOn: [404] },
  { retryBackoff: [1] },
  { concurrency: 'auto' },
  { destinations: [{ name: 'a', origins: ['http://a'] }] },
  { circuitBreaker: { breakPeriod: 1, recoverPeriod: 1, winSize: 1, minStats: 1, healthRate: 1 } },
])('a subscription that gets %j has changed', (entry) => {
  expect(subscriptionChange(consumers({}), consumers(entry)).changed).toHaveLength(1);
  expect(subscriptionChange(consumers(entry), consumers(entry)).changed).toEqual([]);
});

test('topics that came, went and changed', () => {
  const topics = (...list: [string, number][]) =>
    load({ 'kafka.topics': list.map(([name, partitions]) => ({ name, partitions })) });
  const current = topics(['test', 1], ['went', 1], ['grows', 1]);
  const { added, removed, changed } = topicChange(current, topics(['grows', 2], ['test', 1], ['came', 1]));
  expect(added).toEqual([{ name: 'came', partitions: 1 }]);
  expect(removed).toEqual([{ name: 'went', partitions: 1 }]);
  expect(changed).toEqual([{ current: { name: 'grows', partitions: 1 }, next: { name: 'grows', partitions: 2 } }]);
});
