// What a commit costs against a plain call, what an undecided transaction weighs, and how checks come to a producer that is back.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Asked, AskingConnection } from '../support/asking-connection.ts';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { callAcl, callTopic, sampleData } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { liveBytes } from '../support/live-bytes.ts';
import { residentBytes } from '../support/proc.ts';
import { inTurns, sleep } from '../support/windows.ts';

const nobody = 'http://127.0.0.1:9/hook';
const connections = 64;
const authorization = `authorization: Basic ${Buffer.from(`${callAcl.name}:${callAcl.secret}`).toString('base64')}`;
const json = [authorization, 'content-type: application/json'];
const checksPerSecond = 200;
const longestBeginMs = 3_600_000;
const spareMs = 15_000;

export async function transactions(
  lab: Lab,
  goals: { readonly commits: Goal; readonly begins: Goal; readonly weight: Goal; readonly herd: Goal },
): Promise<Figure[]> {
  return [...(await commits(lab, goals)), ...(await undecided(lab, goals))];
}

async function commits(lab: Lab, goals: { readonly commits: Goal; readonly begins: Goal }): Promise<Figure[]> {
  const settings = { 'transaction.enabled': true };
  const app = await lab.app({ directory: await lab.directory(), concurrency: null, settings });
  const callers = await opened(app);
  const count = lab.quick ? 2000 : 6000;
  let ids: string[] = [];
  const begin = async () => {
    const answers: string[] = [];
    const rate = await perSecond(callers, count, () => begun(nobody, nobody), answers);
    ids = answers.map(idIn);
    return rate;
  };
  const plain = () =>
    perSecond(callers, count, () => ({ path: '/v1/messages', headers: plainHeaders, body: sampleData() }));
  const commit = () =>
    perSecond(callers, count, (i) => ({ path: `/v1/transactions/${ids[i]}/commit`, headers: json, body: '' }));
  const begins: { ours: number; limit: number }[] = [];
  const pairs = await inTurns(
    lab.quick ? 3 : 5,
    async () => {
      const rate = await begin();
      begins.push({ ours: rate, limit: 0 });
      return commit();
    },
    plain,
  );
  for (const caller of callers) caller.close();
  const reference = 'POST /v1/messages';
  const what = { unit: '/s', reference, how: 'ratio' } as const;
  const beginPairs = pairs.map(({ limit }, i) => ({ ours: begins[i + 1]?.ours ?? 0, limit }));
  return [
    comparedFigure({ ...what, name: 'transactions committed', goal: goals.commits }, pairs),
    comparedFigure({ ...what, name: 'transactions begun', goal: goals.begins }, beginPairs),
  ];
}

async function undecided(lab: Lab, goals: { readonly weight: Goal; readonly herd: Goal }): Promise<Figure[]> {
  const count = lab.quick ? 40_000 : 100_000;
  const producer = await Producer.start();
  const settings = { 'transaction.enabled': true, 'transaction.check.rate': checksPerSecond };
  const app = await lab.app({ directory: await lab.directory(), concurrency: null, settings, isInspected: true });
  const callers = await opened(app);
  // All fall due at one moment, by which all are begun.
  let dueMs = performance.now() + longestBeginMs;
  const beginMany = (many: number) =>
    perSecond(callers, many, () => begun(nobody, producer.url, Math.max(0, Math.round(dueMs - performance.now()))));
  const rate = await beginMany(count / 50);
  dueMs = performance.now() + spareMs + (1500 * count) / rate;
  // By then what keeps the newest is full: the log's tail, and the bodies at hand.
  const first = count / 2;
  await beginMany(first - count / 50);
  const early = { live: await liveBytes(app.inspector), resident: await lowest(app) };
  await beginMany(count - first);
  const late = { live: await liveBytes(app.inspector), resident: await lowest(app) };
  for (const caller of callers) caller.close();
  // It is down when the first ones fall due, and comes back.
  while (producer.refused === 0) await sleep(100);
  await sleep(2000);
  producer.isUp = true;
  await sleep(lab.quick ? 10_000 : 25_000);
  const seconds = producer.perSecond();
  lab.say(`checks in each second after it came back: ${seconds.join(' ')}`);
  await producer.close();
  const of = `${count.toLocaleString('en')} undecided`;
  const weight = (late.live - early.live) / (count - first);
  return [
    { name: `memory of an undecided transaction, ${of}`, unit: 'bytes', value: weight, goal: goals.weight },
    {
      name: `RSS, ${of}`,
      unit: 'MB',
      value: late.resident / 2 ** 20,
      reference: { name: 'half of them', value: early.resident / 2 ** 20 },
    },
    {
      name: `most checks in a second to a producer that came back, ${of}`,
      unit: 'x',
      value: Math.max(...seconds) / checksPerSecond,
      goal: goals.herd,
    },
  ];
}

const plainHeaders = [authorization, `bigpipe-topic: ${callTopic}`, `bigpipe-url: ${nobody}`];

const begun = (url: string, checkUrl: string, firstCheckMs = 3_600_000): Asked => ({
  path: '/v1/transactions',
  headers: json,
  body: JSON.stringify({
    messages: [{ topic: callTopic, url, data: sampleData() }],
    checkUrl,
    firstCheckAfter: `${firstCheckMs}ms`,
  }),
});

const idIn = (answer: string) => /"id":"(txn_\w+)"/.exec(answer)?.[1] ?? '';

const opened = (app: BigpipeApp) =>
  Promise.all(Array.from({ length: connections }, () => AskingConnection.open(app.port)));

/** All callers at once, each with one request at a time. */
async function perSecond(
  callers: readonly AskingConnection[],
  count: number,
  ask: (i: number) => Asked,
  answers: string[] = [],
): Promise<number> {
  let next = 0;
  const startedMs = performance.now();
  await Promise.all(
    callers.map(async (caller) => {
      while (next < count) {
        const i = next;
        next += 1;
        const answer = await caller.ask(ask(i));
        if (!answer.startsWith('HTTP/1.1 20')) throw new Error(answer.slice(0, 500));
        answers[i] = answer;
      }
    }),
  );
  return (count * 1000) / (performance.now() - startedMs);
}

/** The least of some moments: garbage comes and goes. */
async function lowest(app: BigpipeApp): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 20; i += 1) {
    await sleep(100);
    least = Math.min(least, residentBytes(app.pid));
  }
  return least;
}

/** Answers checks once it is up; before, it breaks them off. */
class Producer {
  isUp = false;
  refused = 0;
  private readonly checkedMs: number[] = [];
  private readonly server = createServer((request, response) => {
    request.resume();
    if (!this.isUp) {
      this.refused += 1;
      request.socket.destroy();
      return;
    }
    this.checkedMs.push(performance.now());
    response.end('{"state":"unknown"}');
  });

  static async start(): Promise<Producer> {
    const producer = new Producer();
    await new Promise<void>((resolve) => producer.server.listen(0, '127.0.0.1', resolve));
    return producer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/check`;
  }

  perSecond(): number[] {
    const first = this.checkedMs[0] ?? 0;
    const counts: number[] = [0];
    for (const atMs of this.checkedMs) {
      const second = Math.floor((atMs - first) / 1000);
      counts[second] = (counts[second] ?? 0) + 1;
    }
    return Array.from(counts, (count) => count ?? 0);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }
}
