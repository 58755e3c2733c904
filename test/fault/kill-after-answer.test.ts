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
/** What the receiver took, in order, and in which of the process's lives. */
const taken: { id: string; life: number }[] = [];
let life = 0;
let last: BigpipeProcess | undefined;

/** Says no to every fourth message of a key, once: what comes behind it has to wait. */
const refusedOnce = new Set<string>();

beforeAll(async () => {
  target = await TargetServer.start(({ headers }, response) => {
    const id = String(headers['bigpipe-message-id']);
    if (numberOf(id) % 4 === 1 && !refusedOnce.has(id)) {
      refusedOnce.add(id);
      response.writeHead(503).end();
      return;
    }
    taken.push({ id, life });
    response.end();
  });
});

const numberOf = (id: string) => Number(id.split('-')[1]);

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
  await until('every accepted call was taken', () => isAllTaken());
  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);

  expect(ledger.accepted.size).toBeGreaterThanOrEqual(kills);
  // Once more for each kill, and for its refusal.
  expect(ledger.faults(target, kills + 2)).toEqual([]);
  expect(takenTwiceInALife()).toEqual([]);
  expect(takenOutOfOrder()).toEqual([]);
  // Twenty-one starts: on a busy machine they alone may take most of a minute.
}, 120_000);

function isAllTaken(): boolean {
  const ids = new Set(taken.map(({ id }) => id));
  return [...ledger.accepted].every((id) => ids.has(id));
}

function takenTwiceInALife(): string[] {
  const seen = new Set<string>();
  return taken.flatMap(({ id, life: at }) => {
    const name = `${id} in life ${at}`;
    if (seen.has(name)) return [name];
    seen.add(name);
    return [];
  });
}

/** First takings that came before that of an earlier call of their key. */
function takenOutOfOrder(): string[] {
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  return taken.flatMap(({ id }) => {
    if (seen.has(id)) return [];
    seen.add(id);
    const key = id.split('-')[0] as string;
    const before = newest.get(key) ?? -1;
    newest.set(key, Math.max(before, numberOf(id)));
    return numberOf(id) < before ? [`${id} after ${key}-${before}`] : [];
  });
}
