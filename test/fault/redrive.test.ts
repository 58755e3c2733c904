// Five thousand dead letters sent again: a receiver that fails half of them gets few and loses none, a healthy one gets each once and in order.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import {
  keptLetters,
  type Letter,
  type RedriveReport,
  readLetters,
  redriveReport,
  startRedrive,
  untilRedriven,
} from '../support/dead-letters-page.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const letters = 5000;
const keys = 100;
const canary = 0.01;
/** What may be under way and unanswered beyond the canary. */
const uncertain = 0.05;
const pageSize = 1000;
const partitions = 3;

let target: TargetServer;
let ledger: Ledger;
let bigpipe: BigpipeProcess;
/** Answered 200, in the order of their first time. */
let delivered: Set<string>;
let arrived: string[];
let repeats: number;
let report: RedriveReport;
/** True for a request that is answered 400, by its number from 0 on. */
let isBad: (number: number) => boolean;

beforeEach(async () => {
  ledger = new Ledger();
  delivered = new Set();
  arrived = [];
  repeats = 0;
  isBad = () => true;
  target = await TargetServer.start(({ body }, response) => {
    const id = body.toString();
    target.arrivals.length = 0;
    arrived.push(id);
    if (isBad(arrived.length - 1)) response.writeHead(400);
    else {
      if (delivered.has(id)) repeats += 1;
      delivered.add(id);
    }
    response.end();
  });
});

afterEach(async () => {
  ledger.hangUp();
  await bigpipe.dispose();
  await target.close();
});

async function fill(poison: 'skip' | 'park'): Promise<void> {
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions }],
      'kafka.consumer.list': [baseConsumer({ retries: 0, poison })],
    }),
  });
  const callOfKey = async (key: number) => {
    for (let i = 0; i < letters / keys; i += 1)
      await ledger.call(bigpipe, `k${key}-${i}`, { url: target.url(), partition_key: `k${key}` });
  };
  await Promise.all(Array.from({ length: keys }, (_, key) => callOfKey(key)));
  expect(ledger.accepted.size).toBe(letters);
  await until('all are dead letters', async () => (await keptLetters(bigpipe)).open === letters, 60_000);
  expect(delivered.size).toBe(0);
}

/** The ids of all open letters. */
async function openIds(): Promise<string[]> {
  const ids: string[] = [];
  for (let partition = 0; partition < partitions; partition += 1) {
    for (let from = 0; ; ) {
      const page: Letter[] = await readLetters(bigpipe, `?partition=${partition}&from=${from}&limit=${pageSize}`);
      ids.push(...page.map(({ id }) => id));
      if (page.length < pageSize) break;
      from = Number(page.at(-1)?.offset) + 1;
    }
  }
  return ids;
}

/** Each call is either delivered or stands among the dead letters, once. */
async function expectNoneMissing(): Promise<void> {
  await until('those that failed stand there again', async () => {
    return (await keptLetters(bigpipe)).open + delivered.size === letters;
  });
  const ids = await openIds();
  expect(new Set(ids).size).toBe(ids.length);
  expect(new Set([...ids, ...delivered])).toEqual(ledger.accepted);
  expect(repeats).toBe(0);
}

/** Numbers of each key as they were first delivered. */
function expectKeysInOrder(): void {
  const byKey = Map.groupBy(delivered, (id) => id.slice(0, id.indexOf('-')));
  for (const [key, ids] of byKey) {
    const numbers = ids.map((id) => Number(id.slice(id.indexOf('-') + 1)));
    expect([key, numbers]).toEqual([key, numbers.toSorted((a, b) => a - b)]);
  }
}

/** As fast as may be, to its end. */
async function redrive(order: object): Promise<void> {
  arrived = [];
  await startRedrive(bigpipe, { rate: 100_000, ...order });
  await untilRedriven(bigpipe);
  // An aborted one says so while its last letters are in flight.
  await until('its last letters have ended', async () => {
    report = await redriveReport(bigpipe);
    return report.delivered + report.failed === arrived.length;
  });
  console.log(JSON.stringify(report), `${arrived.length} arrived`);
}

const everySecond = (number: number) => number % 2 === 0;

test('a receiver that fails half of them gets few, and the rest stays; one that is well gets each once', async () => {
  await fill('skip');
  const first = letters * canary;
  isBad = everySecond;
  await redrive({ canary });
  expect(report).toMatchObject({ state: 'aborted', total: letters });
  expect(report.sent).toBeLessThanOrEqual(first);
  await expectNoneMissing();

  const left = letters - delivered.size;
  const canaryOfLeft = Math.ceil(left * canary);
  isBad = (number) => number >= canaryOfLeft && everySecond(number);
  await redrive({ canary, abortIfFailRate: 0.05 });
  expect(report).toMatchObject({ state: 'aborted', total: left });
  expect(report.sent).toBeGreaterThan(canaryOfLeft);
  // Half of 6 behind 50 is more than 5 of 100.
  expect(report.sent).toBeLessThanOrEqual(canaryOfLeft + 6 + letters * uncertain);
  expect(arrived.length).toBeLessThanOrEqual(report.sent);
  await expectNoneMissing();

  const rest = letters - delivered.size;
  const half = Math.floor(rest / 2);
  isBad = everySecond;
  await redrive({ canary, abortIfFailRate: 1 });
  expect(report).toMatchObject({
    state: 'done',
    total: rest,
    sent: rest,
    delivered: half,
    failed: rest - half,
    held: 0,
  });
  await expectNoneMissing();

  isBad = () => false;
  await redrive({ canary });
  expect(report).toMatchObject({ state: 'done', total: rest - half, delivered: rest - half, failed: 0, held: 0 });
  expect([delivered, repeats, (await keptLetters(bigpipe)).open]).toEqual([ledger.accepted, 0, 0]);
});

test('parked keys of which half fail stay in their order, and come back to a healthy receiver once each', async () => {
  await fill('park');
  expect((await keptLetters(bigpipe)).parkedKeys.length).toBe(keys);
  isBad = everySecond;
  await redrive({ canary, abortIfFailRate: 1 });
  expect(report).toMatchObject({ state: 'done', total: letters });
  expect(report.sent + report.held).toBe(letters);
  await expectNoneMissing();
  isBad = () => false;
  await redrive({ canary });
  expect(report).toMatchObject({ state: 'done', failed: 0, held: 0 });
  expect([delivered, repeats]).toEqual([ledger.accepted, 0]);
  expectKeysInOrder();
  const { open, parkedKeys } = await keptLetters(bigpipe);
  expect([open, parkedKeys]).toEqual([0, []]);
});
