// Very many endpoints of one group, each with a lease: all take part, who does not renew is taken out, and memory is bounded.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { sendLines } from '../support/messages-door.js';
import { manage } from '../support/registrations.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** 10,000 is the whole proof. */
const count = Number(process.env['ENDPOINTS'] ?? 200);
/** Of those, who never renews. */
const lazy = Math.floor(count / 10);
const atOnce = 32;

vi.setConfig({ testTimeout: 120_000 + count * 100, hookTimeout: 120_000 });

let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'kafka.consumer.list': [] }) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

const residentMb = () =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${bigpipe.child.pid}/status`, 'utf8'))?.[1]) / 1024;

/** Of endpoints `from` up to and without `to`, `atOnce` at the same moment. */
async function lease(from: number, to: number, ttlSeconds: number): Promise<Set<number>> {
  const statuses = new Set<number>();
  let next = from;
  const one = async () => {
    while (next < to) {
      const url = target.url(`/${next}`);
      next += 1;
      statuses.add((await manage(bigpipe, 'POST', 'many/endpoints', { url, ttlSeconds })).status);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return statuses;
}

async function publish(messages: number): Promise<void> {
  for (let sent = 0; sent < messages; sent += 1000) {
    const lines = Array.from({ length: Math.min(1000, messages - sent) }, () => ({ topic: 'test', data: 'x' }));
    expect((await sendLines(bigpipe, lines)).status).toBe(200);
  }
}

const paths = () => new Set(target.arrivals.map(({ path }) => path));

test('all that have a lease take part; a lease that is never renewed ends; the others are renewed', async () => {
  await manage(bigpipe, 'PUT', 'many', { topic: 'test', ordering: 'none', rateLimit: 100_000, concurrency: 64 });
  const before = residentMb();
  const startedMs = performance.now();
  expect(await lease(0, count, 3600)).toEqual(new Set([201]));
  const tookMs = performance.now() - startedMs;
  const grownMb = residentMb() - before;
  await publish(count);
  await until('all have come', () => target.arrivals.length === count, 120_000);
  expect(paths().size).toBe(count);

  // The lazy ones get a second, and never say a word again.
  expect(await lease(0, lazy, 1)).toEqual(new Set([200]));
  expect(await lease(lazy, count, 3600)).toEqual(new Set([200]));
  await until(
    'their leases have ended',
    async () => ((await manage(bigpipe, 'GET', 'many')).body['endpoints'] as []).length === count - lazy,
  );
  target.arrivals.length = 0;
  await publish(count);
  await until('all have come', () => target.arrivals.length === count, 120_000);
  expect([...paths()].filter((path) => Number(path.slice(1)) < lazy)).toEqual([]);
  expect(paths().size).toBe(count - lazy);
  console.log(`${count} leases in ${(tookMs / 1000).toFixed(1)} s, ${grownMb.toFixed(0)} MB more resident`);
  // Thrice what its gates take, and what the process grows by itself.
  expect(grownMb).toBeLessThan(150 + count * 0.02);
});
