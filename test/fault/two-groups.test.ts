// Two groups on one topic: each gets every message once, and one that stands still does not slow the other.
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** More than the window of one partition holds, so that the still group's is full. */
const count = 3000;

let target: TargetServer;
let bigpipe: BigpipeProcess;
const ledger = new Ledger();

const configWith = (still: Config, directory?: string) =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 2 }],
    'kafka.consumer.list': [baseConsumer(), baseConsumer({ groupId: 'G2', ...still })],
    ...(directory === undefined ? {} : { 'broker.embedded.directory': join(directory, 'data') }),
  });

interface LagRow {
  readonly groupId: string;
  readonly lag: string;
}

async function lagOf(group: string): Promise<number> {
  const answer: unknown = await (await fetch(`${bigpipe.management}/broker/lag`)).json();
  // Asked too often, it says so instead of answering.
  if (!Array.isArray(answer)) return Number.NaN;
  const rows = (answer as LagRow[]).filter(({ groupId }) => groupId === group);
  return rows.reduce((sum, { lag }) => sum + Number(lag), 0);
}

async function callAll(from: number): Promise<void> {
  for (let at = from; at < from + count; at += 100) {
    const ids = Array.from({ length: 100 }, (_, i) => at + i);
    await Promise.all(
      ids.map((i) =>
        ledger.call(bigpipe, `m${i}`, { url: target.url(), partition_key: i % 3 === 0 ? `${i % 50}` : '' }),
      ),
    );
  }
}

const timesArrived = () => new Set(target.countById().values());

beforeAll(async () => {
  target = await TargetServer.start();
  // One attempt, and the next a thousand seconds later.
  bigpipe = await BigpipeProcess.start({ config: configWith({ rateLimit: 0.001, concurrency: 1 }) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

test('a group that stands still does not hold up the other', async () => {
  await callAll(0);
  expect(ledger.accepted.size).toBe(count);
  await until('the quick group has delivered all of them', () => ledger.allArrived(target));
  await until('the quick group has committed all of them', async () => (await lagOf('G1')) === 0);
  expect(await lagOf('G2')).toBeGreaterThan(0);
  // The one attempt that the still group has.
  await until('the still group has had its attempt', () => target.arrivals.length === count + 1);
});

test('once it moves again, it too gets every message, and nobody gets one twice', async () => {
  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory, config: configWith({}, bigpipe.directory) });
  await until('both groups are through', async () => (await lagOf('G2')) === 0 && (await lagOf('G1')) === 0);
  expect(target.arrivals).toHaveLength(2 * count);
  expect(timesArrived()).toEqual(new Set([2]));
});

test('a group killed with the process gets its own rest, not the other group its done part again', async () => {
  ledger.hangUp();
  await bigpipe.end('SIGTERM');
  const still = configWith({ rateLimit: 0.001, concurrency: 1 }, bigpipe.directory);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory, config: still });
  await callAll(count);
  await until('the quick group has committed all of them', async () => (await lagOf('G1')) === 0);
  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory, config: configWith({}, bigpipe.directory) });
  await until('both groups are through', async () => (await lagOf('G2')) === 0 && (await lagOf('G1')) === 0);
  const again = [...target.countById()].filter(([, times]) => times !== 2);
  // Only the still group's one attempt may come again.
  expect(again.length).toBeLessThanOrEqual(1);
  expect(ledger.faults(target, 3)).toEqual([]);
});
