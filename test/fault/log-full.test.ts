// A log at the bound that was set for it: callers are told so and when to come back; nothing accepted is lost.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Ledger, type Refused } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const megabyte = 1_048_576;
const full = { status: 200, errno: 1, error: 'storage-full', retryAfter: '1' };

let target: TargetServer;
let ledger: Ledger;
let bigpipe: BigpipeProcess | undefined;
let calls = 0;

beforeEach(async () => {
  target = await TargetServer.start();
  ledger = new Ledger();
});

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  bigpipe = undefined;
  await target.close();
});

async function start(changes: Config): Promise<BigpipeProcess> {
  bigpipe = await BigpipeProcess.start({ config: baseConfig(changes) });
  return bigpipe;
}

/** One call of about 16 KiB; true when it was accepted. */
async function callOne(process: BigpipeProcess, url = target.url()): Promise<boolean> {
  calls += 1;
  const id = `call-${String(calls).padStart(5, '0')}`;
  return ledger.call(process, id, { url, data: id.padEnd(16_000, '.') });
}

async function callUntilFull(process: BigpipeProcess, url?: string): Promise<void> {
  for (let accepted = true; accepted; ) accepted = await callOne(process, url);
}

const refusals = (): Refused[] => [...ledger.refused.values()];

test('at broker.embedded.max.bytes calls are refused, and taken again once retention has made room', async () => {
  // One call settles none: the receiver waits until the log is full.
  const held: (() => void)[] = [];
  target.script = (_arrival, response) => void held.push(() => response.end());
  const process = await start({
    'broker.embedded.max.bytes': 4 * megabyte,
    'broker.embedded.retention.ms': 1000,
    'kafka.consumer.list': [baseConsumer({ timeout: 50_000, concurrency: 1000 })],
  });
  await callUntilFull(process);
  expect(refusals()).toEqual([full]);
  const before = ledger.accepted.size;
  expect(before).toBeGreaterThan(50);
  expect((await fetch(`${process.origin}/livez`)).status).toBe(200);
  target.script = (_arrival, response) => void response.end();
  for (const answer of held) answer();
  await until('a call is taken again', () => callOne(process), 40_000);
  await until('everything accepted arrives', () => ledger.allArrived(target));
  expect(ledger.faults(target, 1)).toEqual([]);
  for (const refusal of refusals()) expect(refusal).toEqual(full);
});

test('callers that do not let up do not keep a full log full', async () => {
  const process = await start({
    'broker.embedded.max.bytes': 4 * megabyte,
    'broker.embedded.retention.ms': 1000,
    'kafka.consumer.list': [baseConsumer({ concurrency: 100 })],
  });
  await callUntilFull(process);
  let taken = 0;
  const insist = async () => {
    while (taken < 20) if (await callOne(process)) taken += 1;
  };
  await Promise.all(Array.from({ length: 32 }, insist));
  await until('everything accepted arrives', () => ledger.allArrived(target));
  expect(ledger.faults(target, 1)).toEqual([]);
});

test('a full log still takes dead letters, without which nothing would be settled and no room made', async () => {
  // All of the first ones are rejected, so that dead letters come before any room.
  const held: ((status: number) => void)[] = [];
  target.script = (_arrival, response) => void held.push((status) => response.writeHead(status).end());
  const process = await start({
    'broker.embedded.max.bytes': 4 * megabyte,
    'broker.embedded.retention.ms': 1000,
    'kafka.consumer.list': [baseConsumer({ timeout: 50_000, concurrency: 1000, retries: 0 })],
  });
  await callUntilFull(process);
  target.script = (_arrival, response) => void response.end();
  const rejected = Math.floor(held.length / 4);
  for (const answer of held.splice(0, rejected)) answer(400);
  await until(
    'a dead letter is written',
    async () => {
      return ((await process.stats())?.clientStats['test']?.['deadLetters'] ?? 0) > 0;
    },
    8000,
  );
  for (const answer of held) answer(200);
  expect(await until('a call is taken again', () => callOne(process), 15_000)).toBe(true);
});

test('after a stop at the bound, the next start delivers the rest', async () => {
  target.script = () => undefined;
  const process = await start({
    'broker.embedded.max.bytes': 4 * megabyte,
    'kafka.consumer.list': [baseConsumer({ timeout: 300, concurrency: 1, retries: 1000 })],
  });
  await callUntilFull(process);
  ledger.hangUp();
  expect(await process.end('SIGKILL')).toBe('SIGKILL');
  target.script = (_arrival, response) => void response.end();
  target.arrivals.length = 0;
  bigpipe = await BigpipeProcess.start({ directory: process.directory });
  await until('everything accepted arrives', () => ledger.allArrived(target));
  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);
});
