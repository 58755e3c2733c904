// GET /delay tells how far groups are behind, in the two shapes that kmonitor had.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { hasZabbixSender, ZabbixTrapper } from '../support/zabbix-trapper.js';

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeAll(async () => {
  target = await TargetServer.start(() => undefined);
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 1 }],
      'kafka.consumer.list': [baseConsumer({ timeout: 60_000 })],
    }),
  });
  for (let i = 0; i < 3; i += 1) await bigpipe.call({ url: target.url() });
  await until('the calls are in flight', () => target.arrivals.length === 3);
});

afterAll(async () => {
  await target.close();
  await bigpipe.dispose();
});

const page = async (query = '') => {
  const response = await fetch(`${bigpipe.management}/delay${query}`);
  return { status: response.status, text: await response.text() };
};

test('as JSON: cluster, group, partition', async () => {
  expect(JSON.parse((await page()).text)).toEqual({ bigpipe: { G1: { 0: 3 } } });
  expect(JSON.parse((await page('?format=json&cluster=bigpipe')).text)).toEqual({ bigpipe: { G1: { 0: 3 } } });
});

test('as lines for Zabbix', async () => {
  expect((await page('?format=zabbix')).text).toBe('- bigpipe.G1.0.delay 3\n');
});

test('each topic apart, and with detail what stands behind the count', async () => {
  expect(JSON.parse((await page('?topic')).text)).toMatchObject({ bigpipe: { G1: { test: { 0: 3 } } } });
  expect((await page('?format=zabbix&topic=true')).text).toContain('- bigpipe.G1.test.0.delay 3\n');
  const details = JSON.parse((await page('?detail')).text) as {
    bigpipe: { G1: { test: { 0: Record<string, unknown> } } };
  };
  expect(details.bigpipe.G1.test[0]).toEqual({
    lag: 3,
    committed: '0',
    end: '3',
    ageSeconds: expect.any(Number),
    drainSeconds: null,
  });
});

test.skipIf(!hasZabbixSender)('zabbix_sender takes the lines as they are', async () => {
  const trapper = await ZabbixTrapper.start();
  try {
    expect(await trapper.sendFrom('node-1', (await page('?format=zabbix')).text)).toBe(0);
    expect(trapper.items).toEqual([{ host: 'node-1', key: 'bigpipe.G1.0.delay', value: '3' }]);
  } finally {
    trapper.close();
  }
});

test('any method will do, as with kmonitor', async () => {
  expect((await fetch(`${bigpipe.management}/delay`, { method: 'POST' })).status).toBe(200);
});

test('another format, or another cluster, is refused', async () => {
  expect((await page('?format=xml')).status).toBe(400);
  expect((await page('?cluster=other')).status).toBe(400);
  expect((await page('?topic=orders')).text).toContain('topic: found \\"orders\\", allowed: true, false');
});
