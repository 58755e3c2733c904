// Parked keys over real sockets: what cannot be delivered holds back its key alone, and a redrive brings all of it back in order.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import {
  askManagement,
  keptLetters,
  lettersPlace,
  readLetters,
  startRedrive,
  untilRedriven,
} from '../support/dead-letters-page.js';
import { Ledger } from '../support/ledger.js';
import { MainProcess } from '../support/main-process.js';
import { untilStats } from '../support/stats-page.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let ledger: Ledger;
let bigpipe: BigpipeProcess | undefined;
/** Bodies that are answered 400. */
let isPoison: (body: string) => boolean;
/** Bodies that were answered 200, each at its first time. */
let delivered: string[];

beforeEach(async () => {
  ledger = new Ledger();
  delivered = [];
  isPoison = () => false;
  target = await TargetServer.start(({ body }, response) => {
    const text = body.toString();
    if (isPoison(text)) response.writeHead(400);
    else if (!delivered.includes(text)) delivered.push(text);
    response.end();
  });
});

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  bigpipe = undefined;
  await target.close();
});

const configOf = (changes: Config) =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [baseConsumer({ retries: 0, ...changes })],
  });

async function start(changes: Config = { poison: 'park' }): Promise<BigpipeProcess> {
  bigpipe = await BigpipeProcess.start({ config: configOf(changes) });
  return bigpipe;
}

async function startAnew(running: BigpipeProcess, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<BigpipeProcess> {
  expect(await running.end(signal)).toBe(signal === 'SIGKILL' ? signal : 0);
  ledger.hangUp();
  bigpipe = await BigpipeProcess.start({ directory: running.directory });
  return bigpipe;
}

/** A call whose body and id are its key and its number. */
const call = (running: BigpipeProcess, key: string, number: number) =>
  ledger.call(running, `${key}${number}`, { url: target.url(), partition_key: key });

/** One after another, until one of them is not taken; the number behind the last one. */
async function callInTurn(running: BigpipeProcess, key: string, from: number, to: number): Promise<number> {
  for (let i = from; i < to; i += 1) if (!(await call(running, key, i))) return i + 1;
  return to;
}

const untilOpen = (running: BigpipeProcess, open: number) =>
  until(`${open} letters are open`, async () => (await keptLetters(running)).open === open);

const keysOf = async (running: BigpipeProcess) => (await keptLetters(running)).parkedKeys.map(({ key }) => key);

/** Numbers of a key's bodies as they were first delivered. */
const numbersOf = (key: string) =>
  delivered.filter((body) => body.startsWith(key)).map((body) => Number(body.slice(1)));

const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

/** All that was taken is there, and what may be there came in its order. */
function expectInOrder(key: string): void {
  const numbers = numbersOf(key);
  expect(numbers).toEqual(ascending(numbers));
  expect([...ledger.accepted].filter((id) => id.startsWith(key) && !delivered.includes(id))).toEqual([]);
}

describe('a key whose message is refused', () => {
  test('is parked and shown; the others go on, what comes for it follows, and all come back in order', async () => {
    const running = await start();
    isPoison = (body) => body === 'a1';
    for (const number of [0, 1, 2]) for (const key of ['a', 'b']) await call(running, key, number);
    await untilOpen(running, 2);
    for (const number of [3, 4]) for (const key of ['a', 'b']) await call(running, key, number);
    await untilOpen(running, 4);
    await until('the other key is delivered', () => numbersOf('b').length === 5);
    expect([numbersOf('a'), numbersOf('b')]).toEqual([[0], [0, 1, 2, 3, 4]]);
    const { parkedKeys } = await keptLetters(running);
    expect(parkedKeys).toEqual([
      {
        partition: 0,
        destination: new URL(target.url()).origin,
        key: 'a',
        since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    ]);
    const letters = await readLetters(running);
    expect(letters.map(({ id, history }) => `${id} ${history['reason']} ${history['attempts']}`)).toEqual([
      'a1 rejected 1',
      'a2 parked 0',
      'a3 parked 0',
      'a4 parked 0',
    ]);
    isPoison = () => false;
    await startRedrive(running, { rate: 1000, canary: 1 });
    expect(await untilRedriven(running)).toMatchObject({ state: 'done', total: 4, sent: 4, delivered: 4, held: 0 });
    await call(running, 'a', 5);
    await until('the key goes on', () => numbersOf('a').length === 6);
    expect(numbersOf('a')).toEqual([0, 1, 2, 3, 4, 5]);
    await until('nothing is parked', async () => (await keysOf(running)).length === 0);
    expect((await keptLetters(running)).open).toBe(0);
  });

  test('that still fails stays in its order, and the report says how many', async () => {
    const running = await start();
    isPoison = (body) => body.startsWith('a');
    await callInTurn(running, 'a', 0, 5);
    await untilOpen(running, 5);
    await startRedrive(running, { rate: 1000, canary: 1, abortIfFailRate: 1 });
    expect(await untilRedriven(running)).toMatchObject({ state: 'done', total: 5, sent: 1, failed: 1, held: 4 });
    expect([await keysOf(running), (await readLetters(running)).map(({ id }) => id)]).toEqual([
      ['a'],
      ['a0', 'a1', 'a2', 'a3', 'a4'],
    ]);
  });

  test('goes on once it is purged', async () => {
    const running = await start();
    isPoison = (body) => body === 'a0';
    await callInTurn(running, 'a', 0, 3);
    await untilOpen(running, 3);
    expect((await askManagement(running, 'DELETE', lettersPlace)).answer).toEqual({ purged: 3 });
    await until('nothing is parked', async () => (await keysOf(running)).length === 0);
    await call(running, 'a', 3);
    await until('the key goes on', () => delivered.length === 1);
    const again = await startAnew(running);
    await call(again, 'a', 4);
    await until('also after a kill', () => delivered.length === 2);
    expect([delivered, (await keptLetters(again)).open]).toEqual([['a3', 'a4'], 0]);
  });

  test('is parked through kills in the middle of the parking and of the redrive', async () => {
    let running = await start();
    isPoison = (body) => body.startsWith('a') && Number(body.slice(1)) >= 10;
    let next = 0;
    for (const letters of [1, 100]) {
      const killed: BigpipeProcess = running;
      const calling = callInTurn(killed, 'a', next, next + 2000);
      const others = callInTurn(killed, 'b', next, next + 2000);
      await until('so many follow', async () => (await keptLetters(killed)).open >= letters);
      running = await startAnew(killed);
      next = Math.max(await calling, await others);
      expect(await keysOf(running)).toEqual(['a']);
    }
    next = await callInTurn(running, 'a', next, next + 5);
    await until('the others are delivered', () =>
      [...ledger.accepted].every((id) => !id.startsWith('b') || delivered.includes(id)),
    );
    expectInOrder('b');
    expect(numbersOf('a')).toEqual(Array.from({ length: 10 }, (_, i) => i));
    isPoison = () => false;
    for (const more of [1, 60]) {
      const killed: BigpipeProcess = running;
      const before = delivered.length;
      await startRedrive(killed, { rate: 300, canary: 1 });
      const calling = callInTurn(killed, 'a', next, next + 2000);
      await until('some are delivered', () => delivered.length >= before + more);
      running = await startAnew(killed);
      next = await calling;
      expect(await keysOf(running)).toEqual(['a']);
    }
    await startRedrive(running, { rate: 100_000, canary: 1 });
    expect(await untilRedriven(running)).toMatchObject({ state: 'done', failed: 0, held: 0 });
    await until('nothing is left', async () => {
      const { open, parkedKeys } = await keptLetters(running);
      return open === 0 && parkedKeys.length === 0;
    });
    next = await callInTurn(running, 'a', next, next + 5);
    await until('the key goes on', () => delivered.includes(`a${next - 1}`));
    expectInOrder('a');
    // Nothing came for a second time without a word of why.
    const seen = new Set<string>();
    const unnamed = target.arrivals.filter(({ body, headers }) => {
      const isRepeat = seen.has(body.toString());
      seen.add(body.toString());
      return isRepeat && headers['bigpipe-redelivery'] === undefined;
    });
    expect(unnamed.map(({ body }) => body.toString())).toEqual([]);
    expect(await running.end('SIGTERM')).toBe(0);
  });
});

test('dead letters stand in the topic that the subscription names, also after a restart', async () => {
  const running = await start({ poison: 'park', deadLetterTopic: 'graveyard' });
  isPoison = () => true;
  await callInTurn(running, 'a', 0, 2);
  await untilOpen(running, 2);
  expect((await keptLetters(running)).deadLetterTopic).toBe('graveyard');
  const again = await startAnew(running, 'SIGTERM');
  expect(await keptLetters(again)).toMatchObject({ deadLetterTopic: 'graveyard', open: 2 });
  isPoison = () => false;
  await startRedrive(again, { rate: 1000, canary: 1 });
  expect(await untilRedriven(again)).toMatchObject({ state: 'done', delivered: 2 });
  expect(delivered).toEqual(['a0', 'a1']);
});

test('where dead letters are switched off the loss is counted and said, and the key goes on', async () => {
  const running = await start({ deadLetterTopic: false });
  isPoison = (body) => body === 'a0';
  await callInTurn(running, 'a', 0, 3);
  await until('the key goes on', () => delivered.length === 2);
  const { clientStats } = await untilStats(running, 'the page is there', () => true);
  expect(clientStats['test']).toMatchObject({ lost: 1, deadLetters: 0, rpcFail: 1, rpcSuccess: 2 });
  expect(running.log.filter(({ msg }) => String(msg).includes('lost'))).toHaveLength(1);
  expect((await askManagement(running, 'GET', '/dlq')).answer).toEqual([]);
  expect(await askManagement(running, 'GET', lettersPlace)).toMatchObject({
    status: 404,
    answer: { message: 'dead letters are switched off for the topic test with the group G1' },
  });
});

test('parking where no dead letters are kept is refused at the start', async () => {
  const home = await mkdtemp(join(tmpdir(), 'bigpipe-park-'));
  try {
    const file = join(home, 'bad.json');
    await writeFile(file, JSON.stringify(configOf({ poison: 'park', deadLetterTopic: false })));
    const { code, stdout, stderr } = await new MainProcess({ cwd: home, args: ['--config', file] }).ended;
    expect([code, stdout]).toEqual([78, []]);
    expect(stderr).toContainEqual(
      expect.stringMatching(/^ {2}kafka\.consumer\.list\[0\]\.poison: found "park", allowed: /),
    );
  } finally {
    await rm(home, { recursive: true, force: true });
  }
});
