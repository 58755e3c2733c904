// Callers with a rate of their own, and pages that are asked too often: who is told to come back, and when.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { configCounters, replaceConfig } from '../support/live-config.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let bigpipe: BigpipeProcess;

const config = (slow: Config) =>
  baseConfig({
    'kafka.producer.acl': [
      { name: 'system-1', secret: 'i am good', topic: 'test' },
      { name: 'slow', secret: 's', topic: 'test', ...slow },
    ],
  });

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: config({ rateLimit: 0.01, burst: 3 }) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const callAs = (name: string, secret: string) => bigpipe.call({ acl: { name, secret }, url: target.url() });

test('past its burst a caller is told to come back, and nobody else is', async () => {
  for (let i = 0; i < 3; i += 1) expect((await callAs('slow', 's')).body.errno).toBe(0);
  const { status, headers, body } = await callAs('slow', 's');
  expect(status).toBe(200);
  expect(body).toEqual({ data: '', errno: -1, msg: '超过负载' });
  expect(headers.get('bigpipe-error')).toBe('throttled');
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(60);
  expect(headers.get('ratelimit')).toMatch(/^"calls";r=0;t=\d+$/);
  expect(headers.get('ratelimit-policy')).toBe('"calls";q=3;w=300');
  expect(headers.get('bigpipe-message-id')).toBeNull();
  for (let i = 0; i < 20; i += 1) expect((await callAs('system-1', 'i am good')).body.errno).toBe(0);
  await until('what was taken arrives', () => target.arrivals.length === 23);
});

test('a wrong secret uses up nothing of its', async () => {
  const { changed } = await configCounters(bigpipe);
  await replaceConfig(bigpipe, config({ rateLimit: 0.01, burst: 5 }));
  await until('the new rate is in force', async () => (await configCounters(bigpipe)).changed > changed);
  // Two more than the three that were used before the change.
  for (let i = 0; i < 5; i += 1) expect((await callAs('slow', 'wrong')).body.msg).toBe('权限错误');
  for (let i = 0; i < 2; i += 1) expect((await callAs('slow', 's')).body.errno).toBe(0);
  expect((await callAs('slow', 's')).body.msg).toBe('超过负载');
});

test('a page that is asked too often answers 429, and says when to come back', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${bigpipe.management}/config`)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(50);
  expect(refused.length).toBeGreaterThan(0);
  for (const { headers } of refused) {
    expect(headers.get('retry-after')).toBe('1');
    expect(headers.get('ratelimit')).toBe('"pages";r=0;t=1');
    expect(headers.get('ratelimit-policy')).toBe('"pages";q=50;w=1');
  }
  // Other pages have buckets of their own.
  expect((await fetch(`${bigpipe.management}/dlq`)).status).toBe(200);
  await until('it may be asked again', async () => (await fetch(`${bigpipe.management}/config`)).ok);
});
