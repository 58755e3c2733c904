// What stopped a ktransfer for good: equal offsets of two partitions in one instance, a body that is no msgpack, and a {#KEY} that was never filled in.
import { encode } from '@msgpack/msgpack';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { sendLines } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

/** A window holds 1,024 unsettled messages of a partition: there, four were enough. */
const perPartition = 1100;
const poison = 5;

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 2 }],
      'kafka.consumer.list': [
        baseConsumer({
          groupId: 'module_1',
          endpoints: [{ url: target.url('/ignored') }],
          uri: '/XXX/{#TOPIC}?key={#KEY}&partition={#PARTITION}&transid={#TRANSID}',
          methods: ['Reply'],
          concurrency: 16,
          poison: 'block',
        }),
      ],
    }),
  });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

interface LagRow {
  readonly topic: string;
  readonly partition: number;
  readonly lag: string;
  readonly highWatermark: string;
}

async function ofTopic(): Promise<LagRow[]> {
  const rows = (await (await fetch(`${bigpipe.management}/broker/lag`)).json()) as LagRow[];
  return rows.filter(({ topic }) => topic === 'test');
}

const line = (key: string, body: Uint8Array) => ({
  topic: 'test',
  key,
  data_base64: Buffer.from(body).toString('base64'),
});

test('two partitions in one process: all of both is delivered once, and nothing stays behind', async () => {
  // Poison first, so that it stands before everything in both partitions.
  const bad = Array.from({ length: 2 * poison }, (_, i) => line(`bad-${i}`, Buffer.from('{"method":"Reply"}')));
  const good = Array.from({ length: 2 * perPartition }, (_, i) => line(`key/${i}`, encode({ method: 'Reply', i })));
  const { status, lines } = await sendLines(bigpipe, [...bad, ...good]);
  expect([status, lines.filter((one) => one.status !== 202)]).toEqual([200, []]);
  await until('all have come', () => target.arrivals.length >= good.length);
  await until('nothing is behind', async () => (await ofTopic()).every(({ lag }) => lag === '0'));
  const places = target.arrivals.map(({ path }) => /partition=(\d)&transid=(\d+)$/.exec(path)?.slice(1).join('/'));
  expect(new Set(places).size).toBe(good.length);
  // Both had the same offsets, and more of them than a window holds.
  const offsets = Map.groupBy(places, (place) => place?.split('/')[1]);
  expect([...offsets.values()].filter((both) => both.length === 2).length).toBeGreaterThan(900);
});

test('its key stands in the path, encoded', () => {
  const keys = target.arrivals.map(({ path }) => new URL(path, 'http://h').searchParams.get('key'));
  expect(new Set(keys)).toEqual(new Set(Array.from({ length: 2 * perPartition }, (_, i) => `key/${i}`)));
  expect(target.arrivals[0]?.path).toContain('key=key%2F');
});

test('what is no msgpack is a dead letter, even where a failed message blocks its key, and is known after a restart', async () => {
  const letters = async () => {
    const page = await fetch(`${bigpipe.management}/dlq/test/module_1`);
    return ((await page.json()) as { letters: { history: { reason: string } }[] }).letters;
  };
  const reasons = (
    await until('all are there', async () => {
      const all = await letters();
      return all.length === 2 * poison && all;
    })
  ).map(({ history }) => history.reason);
  expect(new Set(reasons)).toEqual(new Set(['invalid']));
  const before = target.arrivals.length;
  await bigpipe.end('SIGTERM');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await sendLines(bigpipe, [line('after', encode({ method: 'Reply', i: -1 }))]);
  await until('it has come', () => target.arrivals.some(({ path }) => path.includes('key=after')));
  // Acknowledged in both partitions: none of them comes again.
  expect(target.arrivals).toHaveLength(before + 1);
});
