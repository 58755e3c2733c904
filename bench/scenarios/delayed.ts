// 1,000,000 messages that wait for their moments, spread over minutes: memory meanwhile, lateness, and a kill -9 between.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { callAcl, dataOf, sequenceAt } from '../support/call-body.ts';
import { type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { nowUs } from '../support/latency.ts';
import { residentBytes } from '../support/proc.ts';
import { sleep } from '../support/windows.ts';

const mib = 2 ** 20;
const sampleMs = 500;
const concurrency = 200;
const perBatch = 5000;
const batchesAtOnce = 3;
/** Stamps are so much earlier than the moments, so that one that came too early can be told. */
const stampAheadUs = 10_000_000;
/** Nothing has arrived for so long behind the last moment: it never will. */
const standstillMs = 120_000;
const dataBytes = 64;

interface Plan {
  readonly count: number;
  /** Monotonic microseconds of the first moment, and of the last. */
  readonly firstUs: number;
  readonly lastUs: number;
}

interface Waited {
  readonly lateMs: { readonly earliest: number; readonly p50: number; readonly p99: number; readonly latest: number };
  readonly missing: number;
  readonly repeated: number;
  /** MB, each half a second. */
  readonly waiting: readonly number[];
  readonly delivering: readonly number[];
}

export async function delayed(
  lab: Lab,
  goals: { readonly late: Goal; readonly faults: Goal; readonly resident: Goal },
  isKilled: boolean,
): Promise<Figure[]> {
  const count = lab.quick ? 100_000 : 1_000_000;
  const spreadS = lab.quick ? 60 : 400;
  const { lateMs, missing, repeated, waiting, delivering } = await waitAndDeliver(lab, count, spreadS, isKilled);
  const of = `${count.toLocaleString('en')} messages over ${spreadS} s${isKilled ? ', killed twice' : ''}`;
  const late = isKilled ? {} : { goal: goals.late };
  const again = isKilled ? {} : { goal: goals.faults };
  const start = waiting.slice(-20);
  return [
    { name: `latest behind its moment, ${of}`, unit: 'ms', value: lateMs.latest, ...late },
    { name: `p50 behind its moment, ${of}`, unit: 'ms', value: lateMs.p50 },
    { name: `p99 behind its moment, ${of}`, unit: 'ms', value: lateMs.p99 },
    { name: `before their moment (earliest), ${of}`, unit: 'ms', value: Math.min(0, lateMs.earliest) },
    { name: `not delivered, ${of}`, unit: '', value: missing, goal: goals.faults },
    { name: `delivered again, ${of}`, unit: '', value: repeated, ...again },
    { name: `RSS while all wait, ${of}`, unit: 'MB', value: median(start) },
    {
      name: `RSS while they are delivered, most, ${of}`,
      unit: 'MB',
      value: Math.max(...delivering),
      goal: goals.resident,
    },
  ];
}

async function waitAndDeliver(lab: Lab, count: number, spreadS: number, isKilled: boolean): Promise<Waited> {
  const { receiver, origin } = await lab.receiver(0);
  const directory = await lab.directory();
  // Thousands of lines at once, on a machine that others may keep busy.
  const settings = {
    'http.server.max.body.size': 8 * mib,
    'http.server.read.timeout': 120_000,
    'http.server.write.timeout': 120_000,
  };
  const start = () => lab.app({ directory, concurrency, settings });
  let app = await start();
  const waiting: number[] = [];
  const delivering: number[] = [];
  // What is due while others are still being sent would compete with them.
  const fillUs = (lab.quick ? 25 : 300) * 1_000_000;
  const firstUs = nowUs() + fillUs;
  const plan = { count, firstUs, lastUs: firstUs + spreadS * 1_000_000 };
  const filledMs = await fill(app, plan, `${origin}/hook`, () => waiting.push(residentBytes(app.pid) / mib));
  lab.say(`${count} taken in ${(filledMs / 1000).toFixed(0)} s`);
  const killAtUs = isKilled ? [firstUs - 1_000_000, (plan.firstUs + plan.lastUs) / 2] : [];
  let movedMs = performance.now();
  for (let distinct = 0; distinct < count; ) {
    await sleep(sampleMs);
    if (killAtUs[0] !== undefined && nowUs() > killAtUs[0]) {
      killAtUs.shift();
      app.kill();
      await app.stop();
      app = await start();
    }
    const now = await receiver.call('count', null);
    if (now.distinct > distinct || nowUs() < plan.lastUs) movedMs = performance.now();
    if (performance.now() - movedMs > standstillMs) break;
    distinct = now.distinct;
    (nowUs() < firstUs ? waiting : delivering).push(residentBytes(app.pid) / mib);
  }
  const { latency, distinct, repeated } = await receiver.call('count', null);
  const late = (ms: number) => ms - stampAheadUs / 1000;
  await app.stop();
  await receiver.stop();
  const { minMs, p50Ms, p99Ms, maxMs } = latency;
  return {
    lateMs: { earliest: late(minMs), p50: late(p50Ms), p99: late(p99Ms), latest: late(maxMs) },
    missing: count - distinct,
    repeated,
    waiting,
    delivering,
  };
}

/** Resolves to how long it took, in ms. Moments are evenly spread, and come in no order. */
async function fill(app: BigpipeApp, plan: Plan, url: string, sample: () => void): Promise<number> {
  const startedMs = performance.now();
  const authorization = `Basic ${Buffer.from(`${callAcl.name}:${callAcl.secret}`).toString('base64')}`;
  let next = 0;
  const send = async () => {
    while (next < plan.count) {
      const from = next;
      next += perBatch;
      const lines = Array.from({ length: Math.min(perBatch, plan.count - from) }, (_, i) =>
        lineOf(plan, url, from + i),
      );
      const answer = await fetch(`http://127.0.0.1:${app.port}/v1/messages:batch`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/x-ndjson' },
        body: lines.join('\n'),
      });
      const text = await answer.text();
      const taken = text.split('\n').filter((line) => line.startsWith('{"status":202,')).length;
      assert.equal(taken, lines.length, text.slice(0, 300));
      sample();
    }
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, send));
  return performance.now() - startedMs;
}

/** A large step through all places, so that neighbours are due far apart. */
const step = 7919;

function lineOf({ count, firstUs, lastUs }: Plan, url: string, sequence: number): string {
  const place = (sequence * step) % count;
  const dueUs = Math.round(firstUs + ((lastUs - firstUs) * place) / count);
  const dueMs = Math.ceil(Date.now() + (dueUs - nowUs()) / 1000);
  const data = dataOf(dueUs - stampAheadUs, sequence, dataBytes);
  assert(data.length > sequenceAt);
  return JSON.stringify({ url, data, not_before: dueMs / 1000 });
}
