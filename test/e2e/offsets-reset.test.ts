// bigpipe offsets reset: a subscription goes on from another place, by offset, by time, from the beginning or the end.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { command } from '../support/command.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let bigpipe: BigpipeProcess;
let target: TargetServer;

beforeEach(async () => {
  target = await TargetServer.start((_arrival, response) => void response.end());
  const config = baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [baseConsumer({})],
  });
  bigpipe = await BigpipeProcess.start({ config });
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

const bodies = () => target.arrivals.map(({ body }) => Number(body));

async function call(...numbers: number[]): Promise<void> {
  for (const n of numbers) await bigpipe.call({ url: target.url(), data: `${n}`, partition_key: 'k' });
  await until('they have arrived', () => numbers.every((n) => bodies().includes(n)));
}

async function reset(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await command(['offsets', 'reset', ...args, '--against', bigpipe.management]);
  return { code, text: code === 0 ? stdout : stderr };
}

test('by offset, from the beginning, and to the end', async () => {
  await call(0, 1, 2, 3);
  target.arrivals.length = 0;
  expect(await reset('test', 'G1', '--to', '2')).toEqual({ code: 0, text: 'partition 0: 4 -> 2\n' });
  await until('the last two come again', () => bodies().length === 2);
  expect(bodies()).toEqual([2, 3]);
  target.arrivals.length = 0;
  expect((await reset('test', 'G1', '--to', 'earliest', '--partition', '0')).code).toBe(0);
  await until('all come again', () => bodies().length === 4);
  expect(bodies()).toEqual([0, 1, 2, 3]);
  expect((await reset('test', 'G1', '--to', 'latest')).code).toBe(0);
  await call(4);
  expect(bodies()).toEqual([0, 1, 2, 3, 4]);
});

test('by time', async () => {
  await call(0, 1);
  const between = new Date(Date.now() + 1).toISOString();
  await until('time goes on', () => Date.now() > Date.parse(between));
  await call(2, 3);
  target.arrivals.length = 0;
  expect((await reset('test', 'G1', '--to', between)).text).toBe('partition 0: 4 -> 2\n');
  await until('what came since comes again', () => bodies().length === 2);
  expect(bodies()).toEqual([2, 3]);
});

test('as JSON', async () => {
  await call(0, 1);
  const { code, text } = await reset('test', 'G1', '--to', '1', '--json');
  expect([code, JSON.parse(text)]).toEqual([0, { partitions: [{ partition: 0, from: '2', to: '1' }] }]);
  expect((await reset('test', 'G1', '--to', '7', '--json')).text).toContain('to: found 7');
});

test('what is wrong is told', async () => {
  await call(0);
  expect((await reset('test', 'G1', '--to', '7')).text).toContain('to: found 7, allowed: at most 1 in partition 0');
  expect((await reset('test', 'G1', '--to', 'soon')).text).toContain('to: found');
  expect((await reset('test', 'G9', '--to', '0')).text).toContain(
    'no subscription of the topic test with the group G9',
  );
  expect((await reset('test', 'G1', '--to', '0', '--partition', '5')).text).toContain('has no partition 5');
  expect((await reset('test', 'G1')).code).toBe(64);
});
