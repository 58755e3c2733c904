// Order under stress: 64 in flight, a fifth of all attempts fails, one kill -9; the receivers keep the ledger.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { Seeded, seedOfRun } from '../support/seeded.js';
import { hasConnections } from '../support/sockets.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const destinations = 4;
const keys = 300;
/** Of each key, to each destination. */
const each = 5;
const messages = destinations * keys * each;
const maxAttempts = 3;
/** Longer than a busy machine keeps the receiver waiting: it must not take an attempt for open that was given up. */
const timeoutMs = 5000;
const failing = 0.2;
const longestAnswerMs = 20;
const seed = seedOfRun();

const seeded = new Seeded(seed);
const random = () => seeded.next();
const targets: TargetServer[] = [];
const counts = { attempts: 0, answered: 0, status: 0, reset: 0, silence: 0, exhausted: 0, most: 0 };
const faults: string[] = [];
/** By message: performance.now() from which on its predecessor is no longer in the way. */
const settledFrom = new Map<string, number>();
const seen = new Set<string>();
/** Messages of a lane that the receiver is at, silence left out: nobody knows when the other side gives up. */
const openIn = new Map<string, string>();
let last: BigpipeProcess | undefined;

afterEach(async () => {
  await last?.dispose();
  for (const target of targets) await target.close();
});

const nameOf = (key: number, destination: number, number: number) => `k${key}-d${destination}-${number}`;
const laneOf = (id: string) => id.slice(0, id.lastIndexOf('-'));

function beforeOf(id: string): string | null {
  const number = Number(id.slice(id.lastIndexOf('-') + 1));
  return number === 0 ? null : `${laneOf(id)}-${number - 1}`;
}

/** Notes what must never be, at the moment it is. */
function check(id: string): void {
  const lane = laneOf(id);
  const before = beforeOf(id);
  if (
    !seen.has(id) &&
    before !== null &&
    !(performance.now() >= (settledFrom.get(before) ?? Number.POSITIVE_INFINITY))
  ) {
    faults.push(`${id} came before ${before} was settled`);
  }
  const open = openIn.get(lane);
  if (open !== undefined) faults.push(`${id} came while ${open} was being answered`);
  seen.add(id);
}

/** The attempt has ended for good or ill at `atMs`; a failed one settles its message only if it was the last. */
function ended(id: string, attempt: number, isGood: boolean, atMs = performance.now()): void {
  if (!isGood && attempt < maxAttempts) return;
  if (!isGood) counts.exhausted += 1;
  settledFrom.set(id, Math.min(atMs, settledFrom.get(id) ?? atMs));
}

function serve({ headers }: Arrival, response: ServerResponse, socket: Socket): void {
  const id = String(headers['bigpipe-message-id']);
  const attempt = Number(headers['bigpipe-attempt']);
  check(id);
  counts.attempts += 1;
  if (random() >= failing) {
    answerLater(id, () => {
      counts.answered += 1;
      ended(id, attempt, true);
      response.end();
    });
    return;
  }
  const kind = random();
  if (kind < 0.02) {
    counts.silence += 1;
    // A little before the other side gives up: its next message cannot be here before that.
    ended(id, attempt, false, performance.now() + 0.9 * timeoutMs);
    return;
  }
  answerLater(id, () => {
    ended(id, attempt, false);
    if (kind < 0.5) {
      counts.status += 1;
      response.writeHead(500).end();
    } else {
      counts.reset += 1;
      socket.resetAndDestroy();
    }
  });
}

function answerLater(id: string, answer: () => void): void {
  const lane = laneOf(id);
  openIn.set(lane, id);
  counts.most = Math.max(counts.most, openIn.size);
  setTimeout(() => {
    openIn.delete(lane);
    answer();
  }, random() * longestAnswerMs);
}

const config = (consumers: object[]) =>
  baseConfig({ 'kafka.topics': [{ name: 'test', partitions: 8 }], 'kafka.consumer.list': consumers });

/** A key's calls one after another, its destinations in turn: the log has them in this order. */
async function callInTurn(bigpipe: BigpipeProcess, ledger: Ledger, key: number): Promise<void> {
  for (let i = 0; i < destinations * each; i += 1) {
    const destination = i % destinations;
    const url = (targets[destination] as TargetServer).url();
    const id = nameOf(key, destination, Math.floor(i / destinations));
    await ledger.call(bigpipe, id, { url, partition_key: `k${key}` });
  }
}

test(`${messages} messages in ${keys * destinations} lanes: none is first delivered before the one before it was settled`, async () => {
  console.log(`SEED=${seed}`);
  for (let i = 0; i < destinations; i += 1) targets.push(await TargetServer.start(serve));
  const ledger = new Ledger();
  const storing = await BigpipeProcess.start({ config: config([]) });
  last = storing;
  await Promise.all(Array.from({ length: keys }, (_, key) => callInTurn(storing, ledger, key)));
  ledger.hangUp();
  expect(await storing.end('SIGTERM')).toBe(0);
  expect(ledger.accepted.size).toBe(messages);
  const { directory } = storing;
  const consumer = baseConsumer({ concurrency: 64, timeout: timeoutMs, retries: maxAttempts - 1 });
  const data = { 'broker.embedded.directory': `${directory}/data` };
  const killed = await BigpipeProcess.start({ config: { ...config([consumer]), ...data }, directory });
  last = killed;
  await until('half of them are settled', () => settledFrom.size >= messages / 2, 120_000);
  killed.child.kill('SIGKILL');
  expect(await killed.exited).toBe('SIGKILL');
  await until('its connections are gone', async () =>
    (await Promise.all(targets.map(({ port }) => hasConnections(port)))).every((has) => !has),
  );
  await until('what it had sent is answered', () => openIn.size === 0);
  const settledAtKill = settledFrom.size;
  const finishing = await BigpipeProcess.start({ directory });
  last = finishing;
  await until('all are settled', () => settledFrom.size === messages, 120_000);
  expect(await finishing.end('SIGTERM')).toBe(0);
  console.log(
    `${counts.attempts} attempts: ${counts.answered} answered 200, ${counts.status} 500, ${counts.reset} reset, ${counts.silence} never answered; ` +
      `${counts.exhausted} were a message's last; at most ${counts.most} at once; killed after ${settledAtKill}; ${faults.length} out of order`,
  );
  expect(faults).toEqual([]);
  // Otherwise there was little to be out of order.
  expect(counts.most).toBeGreaterThan(32);
}, 400_000);
