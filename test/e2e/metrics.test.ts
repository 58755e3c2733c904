// GET /metrics: true figures under bounded labels, in a form that Prometheus reads without complaint.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { sendLines } from '../support/messages-door.js';
import { hasPromtool, MetricsPage, untilMetrics } from '../support/metrics-page.js';
import { TargetServer } from '../support/target-server.js';

const closedPort = 'http://127.0.0.1:1';
const circuitBreaker = { breakPeriod: 60, recoverPeriod: 60, winSize: 5, minStats: 5, healthRate: 0.5 };

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start(({ path }, response) => {
    response.writeHead(path === '/bad' ? 400 : 200).end();
  });
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': ['test', 'many', 'sick'].map((name) => ({ name, partitions: 1 })),
      'kafka.producer.acl': ['test', 'many', 'sick'].map((topic) => ({
        name: topic === 'test' ? 'system-1' : topic,
        secret: 'i am good',
        topic,
        topics: ['many', 'sick'],
      })),
      'kafka.consumer.list': [
        baseConsumer({
          retries: 0,
          destinations: [
            { name: 'billing', origins: [new URL(target.url()).origin] },
            { name: 'nobody', origins: [closedPort] },
          ],
        }),
        baseConsumer({ topic: 'many', groupId: 'M', retries: 0, concurrency: 500 }),
        baseConsumer({ topic: 'sick', groupId: 'S', retries: 50, concurrency: 10, circuitBreaker }),
      ],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('what callers were answered, and what became of their messages, each under its name', async () => {
  await bigpipe.call({ url: target.url() });
  await bigpipe.call({ url: target.url('/bad') });
  await bigpipe.call({ url: `${closedPort}/` });
  await bigpipe.call({ url: 'nonsense' });
  await bigpipe.post('x'.repeat(2_000_000));
  const group = { topic: 'test', group: 'G1' };
  const page = await untilMetrics(bigpipe, 'all has ended', (seen) => seen.sum('bigpipe_dlq_messages', group) === 2);
  const ingested = (outcome: string) => page.sum('bigpipe_ingest_requests_total', { door: 'rpc', outcome });
  expect([ingested('accepted'), ingested('refused')]).toEqual([3, 2]);
  expect(page.sum('bigpipe_ingest_duration_seconds_count', { door: 'rpc' })).toBe(3);
  expect(page.sum('bigpipe_appended_messages_total', { topic: 'test', outcome: 'stored' })).toBe(3);
  expect(page.sum('bigpipe_append_duration_seconds_count')).toBe(3);
  const attempts = (destination: string, outcome: string, code: string) =>
    page.sum('bigpipe_delivery_attempts_total', { ...group, destination, outcome, code });
  expect(attempts('billing', 'delivered', '2xx')).toBe(1);
  expect(attempts('billing', 'rejected', '4xx')).toBe(1);
  expect(attempts('nobody', 'retry', 'connection')).toBe(1);
  expect(page.sum('bigpipe_delivery_duration_seconds_count', { ...group, destination: 'billing' })).toBe(2);
  expect(page.sum('bigpipe_end_to_end_latency_seconds_count', group)).toBe(1);
  const letters = (reason: string) => page.sum('bigpipe_dead_letters_total', { ...group, reason });
  expect([letters('rejected'), letters('exhausted')]).toEqual([1, 1]);
  expect(page.sum('bigpipe_circuit_state', { ...group, destination: 'billing', state: 'closed' })).toBe(1);
  expect(page.sum('bigpipe_config_version')).toBe(1);
  expect(page.sum('bigpipe_broker_up', { driver: 'embedded' })).toBe(1);
  expect(page.sum('bigpipe_disk_free_bytes')).toBeGreaterThan(0);
  expect(page.sum('bigpipe_log_fsync_duration_seconds_count')).toBeGreaterThan(0);
  expect(page.sum('process_resident_memory_bytes')).toBeGreaterThan(0);
  expect(page.series('nodejs_eventloop_lag_p99_seconds')).toHaveLength(1);
});

test('it is not on the callers’ listener, and /stats does not show it twice', async () => {
  expect((await fetch(`${bigpipe.origin}/metrics`)).status).toBe(404);
  expect(await bigpipe.stats()).not.toHaveProperty('metrics');
});

test('10,000 destinations are one label', async () => {
  const lines = Array.from({ length: 10_000 }, (_, i) => ({
    url: `http://127.${1 + Math.floor(i / 250 / 250)}.${Math.floor(i / 250) % 250}.${1 + (i % 250)}:1/`,
    topic: 'many',
    data: '',
  }));
  // In parts, so that a busy machine does not take one of them for stuck.
  for (let from = 0; from < lines.length; from += 1000) {
    const { lines: answers } = await sendLines(bigpipe, lines.slice(from, from + 1000));
    expect(answers.filter(({ status }) => (status as number) === 202)).toHaveLength(1000);
  }
  const group = { topic: 'many', group: 'M' };
  const page = await untilMetrics(
    bigpipe,
    'all have been tried',
    (seen) => seen.sum('bigpipe_delivery_attempts_total', group) === 10_000,
    60_000,
  );
  const labels = new Set(page.samples.flatMap(({ labels }) => labels['destination'] ?? []));
  expect([...labels].sort()).toEqual(['', 'billing', 'nobody', 'other']);
  expect(page.samples.length).toBeLessThan(1000);
  expect(page.text).not.toContain('127.1.');
});

test('a backlog behind an open circuit is not ready, and a scaler would add nothing', async () => {
  const group = { topic: 'sick', group: 'S' };
  const count = 3000;
  const lines = Array.from({ length: count }, () => ({ url: `${closedPort}/`, topic: 'sick', data: '' }));
  await sendLines(bigpipe, lines);
  const backlog = (page: MetricsPage, reason: string) => page.sum('bigpipe_backlog_messages', { ...group, reason });
  const page = await untilMetrics(
    bigpipe,
    'the circuit is open and all wait for it',
    (seen) => backlog(seen, 'ready') === 0 && backlog(seen, 'open') + backlog(seen, 'delayed') === count,
  );
  expect(page.sum('bigpipe_circuit_state', { ...group, state: 'open' })).toBe(1);
  expect(page.sum('bigpipe_recovery_ratio', group)).toBe(0);
  expect(page.sum('bigpipe_oldest_message_age_seconds', group)).toBe(0);
});

test.skipIf(!hasPromtool)('promtool finds nothing to complain of', async () => {
  expect((await MetricsPage.of(bigpipe)).faults()).toBe('');
});
