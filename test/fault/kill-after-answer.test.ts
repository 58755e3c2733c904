// kill -9 right after an answer, twenty times on one directory: nothing answered is lost, order per key holds.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { hasConnections } from '../support/sockets.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const kills = 20;
const keys = 12;

let target: TargetServer;
const ledger = new Ledger();
/** The lives in which each message arrived. */
const lives = new Map<string, number[]>();
let life = 0;
let last: BigpipeProcess | undefined;

beforeAll(async () => {
  target = await TargetServer.start(({ headers }, response) => {
    const id = String(headers['bigpipe-message-id']);
    lives.set(id, [...(lives.get(id) ?? []), life]);
    response.end();
  });
});

afterAll(async () => {
  await last?.dispose();
  await target.close();
});

const config = baseConfig({
  'kafka.topics': [{ name: 'test', partitions: 2 }],
  'kafka.consumer.list': [baseConsumer({ concurrency: 8 })],
});

/** One key's calls one after another, until one fails; the number of the next one. */
async function callInTurn(bigpipe: BigpipeProcess, key: number, from: number, answered: () => void): Promise<number> {
  for (let number = from; ; number += 1) {
    const id = `k${key}-${number}`;
    if (!(await ledger.call(bigpipe, id, { url: target.url(), partition_key: `k${key}` }))) return number + 1;
    answered();
  }
}

test(`${kills} kills lose nothing, repeat at most once each, and keep the order of every key`, async () => {
  let next = Array.from({ length: keys }, () => 0);
  let directory: string | undefined;
  for (life = 0; life < kills; life += 1) {
    const bigpipe: BigpipeProcess = await BigpipeProcess.start(directory === undefined ? { config } : { directory });
    last = bigpipe;
    directory = bigpipe.directory;
    let answers = 0;
    // Another moment in each life: after the first answer, and later ones.
    const killAt = 1 + life * 7;
    const answered = () => {
      answers += 1;
      if (answers === killAt) bigpipe.child.kill('SIGKILL');
    };
    next = await Promise.all(next.map((from, key) => callInTurn(bigpipe, key, from, answered)));
    expect(await bigpipe.exited).toBe('SIGKILL');
    // What was on its way from the killed process counts for its life.
    await until('its connections are gone', async () => !(await hasConnections(target.port)));
  }
  const bigpipe = await BigpipeProcess.start({ directory: directory as string });
  last = bigpipe;
  await until('every accepted call has arrived', () => ledger.allArrived(target));
  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);

  expect(ledger.accepted.size).toBeGreaterThanOrEqual(kills);
  expect(ledger.faults(target, kills + 1)).toEqual([]);
  expect([...lives].filter(([, seen]) => new Set(seen).size !== seen.length)).toEqual([]);
  expect(outOfOrder()).toEqual([]);
  // Twenty-one starts: on a busy machine they alone may take most of a minute.
}, 120_000);

/** First arrivals that came before that of an earlier call of their key. */
function outOfOrder(): string[] {
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  return target.arrivals.flatMap(({ headers }) => {
    const id = String(headers['bigpipe-message-id']);
    if (seen.has(id)) return [];
    seen.add(id);
    const [key = '', number = ''] = id.split('-');
    const before = newest.get(key) ?? -1;
    newest.set(key, Math.max(before, Number(number)));
    return Number(number) < before ? [`${id} after ${key}-${before}`] : [];
  });
}
