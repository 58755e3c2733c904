// kmonitor's lag froze when a consumer died and fell to nothing when the producer sped up: here it grows with each message, whoever is dead.
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { sendLines } from '../support/messages-door.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let target: TargetServer;
let bigpipe: BigpipeProcess;

const config = (target_: TargetServer): Config =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [
      baseConsumer({ groupId: 'lives', url: target_.url('/lives') }),
      baseConsumer({ groupId: 'dies', url: target_.url('/dies') }),
    ],
  });

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: config(target) });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

/** Messages behind, as /delay tells it; undefined also when it was asked too often. */
async function lagOf(group: string): Promise<number | undefined> {
  const response = await fetch(`${bigpipe.management}/delay?format=json`);
  if (!response.ok) return undefined;
  const tree = (await response.json()) as {
    bigpipe: Record<string, Record<string, number>>;
  };
  return tree.bigpipe[group]?.['0'];
}

async function append(count: number): Promise<void> {
  const lines = Array.from({ length: count }, () => ({ topic: 'test', data: 'x' }));
  expect((await sendLines(bigpipe, lines)).status).toBe(200);
}

const untilLag = (group: string, lag: number) =>
  until(`${group} is ${lag} behind`, async () => (await lagOf(group)) === lag);

test('the lag of a dead consumer is the whole of it, and grows however fast the producer becomes', async () => {
  await append(10);
  for (const group of ['lives', 'dies']) await untilLag(group, 0);
  const pause = await fetch(`${bigpipe.management}/subscriptions/test/dies/pause`, { method: 'POST' });
  expect(pause.ok).toBe(true);
  let behind = 0;
  // Slow, then ten times as fast, then ten times as fast again.
  for (const count of [5, 50, 500]) {
    await append(count);
    behind += count;
    await untilLag('dies', behind);
    await untilLag('lives', 0);
  }
  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await untilLag('dies', behind);
  await fetch(`${bigpipe.management}/subscriptions/test/dies/resume`, { method: 'POST' });
  await untilLag('dies', 0);
});
