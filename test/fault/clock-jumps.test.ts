// The calendar clock is set back or forward under the program: repeats are still named, and nothing waits for a time that never was.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { TimeShim } from '../support/time-shim.js';
import { until } from '../support/until.js';

const hour = 3600;

let shim: TimeShim | null = null;
let reason = '';
let target: TargetServer;
let bigpipe: BigpipeProcess | undefined;

beforeEach(async (context) => {
  try {
    shim = new TimeShim();
  } catch (error) {
    reason = String(error);
    process.stderr.write(`clock-jumps.test.ts is skipped: ${reason}\n`);
    context.skip(reason);
  }
  target = await TargetServer.start((_arrival, response) => void response.writeHead(500).end());
});

afterEach(async () => {
  if (shim === null) return;
  await bigpipe?.dispose();
  bigpipe = undefined;
  await target.close();
  shim.remove();
});

const start = async (consumer: Record<string, unknown>, directory?: string): Promise<BigpipeProcess> => {
  const env = (shim as TimeShim).env;
  const config = baseConfig({ 'kafka.consumer.list': [baseConsumer(consumer)] });
  bigpipe = await BigpipeProcess.start(directory === undefined ? { env, config } : { env, directory });
  return bigpipe;
};

const redeliveries = () => target.arrivals.map(({ headers }) => headers['bigpipe-redelivery']);

test('set back by an hour between the storing and a kill: the repeat says crash', async () => {
  shim?.setOffset(hour);
  const first = await start({ retries: 5, retryBackoff: [3_600_000] });
  await first.call({ url: target.url(), data: 'x', partition_key: 'k' });
  await until('it has arrived', () => target.arrivals.length === 1);
  shim?.setOffset(0);
  await first.end('SIGKILL');
  await start({}, first.directory);
  await until('it comes again', () => target.arrivals.length === 2);
  expect(redeliveries()).toEqual([undefined, 'crash']);
});

// Each waits for its whole time once more, after the one before it.
test('set back by an hour while many retries wait on disk: all of them come after their backoff', async () => {
  shim?.setOffset(hour);
  const first = await start({ retries: 5, retryBackoff: [11_000] });
  for (let i = 0; i < 30; i += 1) await first.call({ url: target.url(), data: 'x' });
  await until('they have arrived', () => target.arrivals.length === 30);
  const page = async () => JSON.stringify(await (await fetch(`${first.management}/subscriptions`)).json());
  await until('they wait on disk', async () => (await page()).includes('"delayed":30'));
  shim?.setOffset(0);
  await until('they come again', () => target.arrivals.length >= 60, 40_000);
}, 60_000);

test('set back by an hour while a retry waits on disk: it comes after its backoff all the same', async () => {
  shim?.setOffset(hour);
  const first = await start({ retries: 5, retryBackoff: [11_000] });
  await first.call({ url: target.url(), data: 'x' });
  await until('it has arrived', () => target.arrivals.length === 1);
  const delayed = async () => JSON.stringify(await (await fetch(`${first.management}/subscriptions`)).json());
  await until('it waits on disk', async () => /"delayed":[1-9]/.test(await delayed()));
  await first.end('SIGTERM');
  shim?.setOffset(0);
  await start({}, first.directory);
  await until('it comes again', () => target.arrivals.length === 2, 40_000);
}, 90_000);

test('set forward by days: what waits comes at once, nothing is lost by age', async () => {
  const first = await start({ retries: 5, retryBackoff: [11_000] });
  for (let i = 0; i < 10; i += 1) await first.call({ url: target.url(), data: `${i}` });
  await until('they have arrived', () => target.arrivals.length === 10);
  await first.end('SIGTERM');
  shim?.setOffset(30 * 24 * hour);
  await start({}, first.directory);
  await until('they come again', () => target.arrivals.length >= 20);
});
