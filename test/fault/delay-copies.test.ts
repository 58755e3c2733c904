// kill -9 while retries go to a delay topic, and one more restart before their time: each comes back once.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { untilBacklog } from '../support/why-waiting.js';

const calls = 1200;

let target: TargetServer;
let bigpipe: BigpipeProcess | undefined;
const ledger = new Ledger();

beforeEach(async () => {
  target = await TargetServer.start((_arrival, response) => void response.writeHead(500).end());
});

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  await target.close();
});

async function call(process: BigpipeProcess, caller: number): Promise<void> {
  for (let i = caller; i < calls; i += 16) await ledger.call(process, `c${i}`, { url: target.url() });
}

// The zone in which there may be two copies of a message is forgotten once the overflow is settled; these wait elsewhere.
test('a retry that was moved to a delay topic twice comes back once', async () => {
  const consumer = baseConsumer({ retries: 5, retryBackoff: { initialMs: 25_000, maxMs: 25_000, jitter: 'none' } });
  const config = baseConfig({ 'kafka.consumer.list': [consumer] });
  const killed = await BigpipeProcess.start({ config });
  bigpipe = killed;
  const calling = Promise.all(Array.from({ length: 16 }, (_, caller) => call(killed, caller)));
  await until('half of them have failed', () => target.arrivals.length >= calls / 2);
  killed.child.kill('SIGKILL');
  await Promise.all([killed.exited, calling]);
  const { directory } = killed;
  const second = await BigpipeProcess.start({ directory });
  bigpipe = second;
  ledger.hangUp();
  await untilAllDelayed(second);
  expect(await second.end('SIGTERM')).toBe(0);
  target.script = (_arrival, response) => void response.end();
  target.arrivals.length = 0;
  bigpipe = await BigpipeProcess.start({ directory });
  await until('all have arrived', () => ledger.allArrived(target), 60_000);
  await untilBacklog(bigpipe, {});
  expect([...target.countById()].filter(([, count]) => count > 1)).toEqual([]);
}, 150_000);

/** All that was accepted, and what may have been, waits on disk, and nothing else is under way. */
async function untilAllDelayed(process: BigpipeProcess): Promise<void> {
  await until('all wait on disk', async () => {
    const response = await fetch(`${process.management}/subscriptions`);
    if (response.status !== 200) return false;
    const [row] = (await response.json()) as { backlog: Record<string, number> }[];
    const { delayed = 0, ...others } = row?.backlog ?? {};
    return delayed >= ledger.accepted.size && Object.values(others).every((count) => count === 0);
  });
}
