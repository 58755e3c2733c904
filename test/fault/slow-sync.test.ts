// A disk whose syncs take long while a backlog is delivered, then kill -9: what was delivered and comes again still says why.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { SyncGate } from '../support/sync-gate.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const calls = 4000;

let gate: SyncGate | null = null;
let target: TargetServer;
let bigpipe: BigpipeProcess | undefined;
const ledger = new Ledger();

beforeEach(async (context) => {
  try {
    gate = new SyncGate();
  } catch (error) {
    process.stderr.write(`slow-sync.test.ts is skipped: ${String(error)}\n`);
    context.skip(String(error));
  }
  target = await TargetServer.start();
});

afterEach(async () => {
  if (gate === null) return;
  gate.open();
  ledger.hangUp();
  await bigpipe?.dispose();
  await target.close();
  gate.remove();
});

const config = (consumers: object[]) =>
  baseConfig({ 'kafka.topics': [{ name: 'test', partitions: 1 }], 'kafka.consumer.list': consumers });

async function call(process: BigpipeProcess, caller: number): Promise<void> {
  for (let i = caller; i < calls; i += 16) await ledger.call(process, `c${i}`, { url: target.url() });
}

test('what was handed out while a commit was under way is named when it comes again', async () => {
  const env = (gate as SyncGate).env;
  const storing = await BigpipeProcess.start({ config: config([]), env });
  bigpipe = storing;
  await Promise.all(Array.from({ length: 16 }, (_, caller) => call(storing, caller)));
  ledger.hangUp();
  expect(await storing.end('SIGTERM')).toBe(0);
  expect(ledger.accepted.size).toBe(calls);

  // The receiver answers a few hundred, then waits for the gate to be shut, then answers all.
  const held: (() => void)[] = [];
  let isHolding = true;
  target.script = (_arrival, response) => {
    if (isHolding && target.arrivals.length > 300) held.push(() => response.end());
    else response.end();
  };
  const data = { 'broker.embedded.directory': `${storing.directory}/data` };
  const { directory } = storing;
  const killed = await BigpipeProcess.start({
    config: { ...config([baseConsumer({ timeout: 60_000 })]), ...data },
    directory,
    env,
  });
  bigpipe = killed;
  await until('it is held', () => held.length >= 50);
  gate?.shut();
  isHolding = false;
  for (const answer of held) answer();
  // Nothing is sent that no durable commit speaks of: without a disk it comes to a stop by itself.
  await until('all that were held are answered', () => target.arrivals.length >= 300 + held.length);
  killed.child.kill('SIGKILL');
  await killed.exited;
  gate?.open();
  const before = new Set(target.countById().keys());
  const first = target.arrivals.length;
  expect(first).toBeLessThan(calls);
  bigpipe = await BigpipeProcess.start({ directory, env });
  await until('all have arrived', () => ledger.allArrived(target));
  const repeats = target.arrivals
    .slice(first)
    .filter(({ headers }) => before.has(String(headers['bigpipe-message-id'])));
  const unnamed = repeats.filter(({ headers }) => headers['bigpipe-redelivery'] === undefined);
  console.log(`${repeats.length} repeats, ${unnamed.length} of them without a word`);
  expect(repeats.length).toBeGreaterThan(0);
  expect(unnamed.length).toBe(0);
}, 120_000);
