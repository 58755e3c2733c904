// A receiver that was dead for a minute gets its backlog along a curve: no herd, no dip, and a stop when it fails again.
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FakeClock } from '../support/fake-clock.js';
import { SimulatedBigpipe } from '../support/simulated-bigpipe.js';
import { TargetServer } from '../support/target-server.js';

const perSecond = 400;
const breakPeriod = 10;
const recoverPeriod = 30;
const winSize = 5;
const minStats = 20;
const healthRate = 0.8;
const messages = 20_000;
const concurrency = 64;
/** Time moves in steps of this; what falls due within one may arrive at its end. */
const stepMs = 5;

/** By then whatever was sent has ended, also what nobody answers. */
const openWithinMs = 6000;

interface Arrival {
  /** By the simulation's clock. */
  readonly atMs: number;
  readonly isGood: boolean;
}

/** `stall`: answers when `stalled` says so. */
type Deed = 'answer' | 'stall' | 'reset' | 'silence';

// Some 10 s each; a busy machine takes several times that.
vi.setConfig({ testTimeout: 180_000 });

/** How a receiver is dead, and how long one that lives takes for an answer. */
interface Kind {
  readonly name: string;
  readonly dead: Deed;
  readonly answerMs: number;
}

const kinds: readonly Kind[] = [
  { name: 'it resets connections', dead: 'reset', answerMs: 0 },
  { name: 'it never answers, and takes 100 ms later', dead: 'silence', answerMs: 100 },
];

let clock: FakeClock;
let target: TargetServer;
let bigpipe: SimulatedBigpipe;
let arrivals: Arrival[];
/** Requests that the receiver has and has not answered. */
let held: number;
let stalled: (() => void)[];
/** What it does with its nth request. */
let deedOf: (number: number) => Deed;

async function start({ dead, answerMs }: Kind): Promise<void> {
  arrivals = [];
  held = 0;
  stalled = [];
  deedOf = () => dead;
  target = await TargetServer.start((_arrival, response, socket) => serve(response, socket, answerMs));
  bigpipe = await SimulatedBigpipe.start({
    consumer: {
      rateLimit: perSecond,
      concurrency,
      retries: 1000,
      circuitBreaker: { breakPeriod, recoverPeriod, winSize, minStats, healthRate },
    },
    backlog: Array.from({ length: messages }, (_, i) => ({ key: `k${i % 5000}`, url: target.url() })),
    clock,
    held: () => held,
  });
}

beforeEach(() => {
  clock = new FakeClock(Date.now());
});

afterEach(async () => {
  await bigpipe.dispose();
  await target.close();
});

function serve(response: ServerResponse, socket: Socket, answerMs: number): void {
  const deed = deedOf(arrivals.length);
  arrivals.push({ atMs: nowMs(), isGood: deed === 'answer' || deed === 'stall' });
  if (deed === 'reset') {
    socket.resetAndDestroy();
    return;
  }
  if (deed === 'answer' && answerMs === 0) {
    response.end();
    return;
  }
  held += 1;
  let isHeld = true;
  const letGo = () => {
    if (isHeld) held -= 1;
    isHeld = false;
  };
  socket.once('close', letGo);
  if (deed === 'silence') return;
  const answer = () => {
    letGo();
    socket.off('close', letGo);
    response.end();
  };
  if (deed === 'stall') stalled.push(answer);
  else clock.setTimer(answerMs, answer);
}

const taken = () => arrivals.reduce((count, { isGood: good }) => count + (good ? 1 : 0), 0);
const nowMs = () => clock.elapsedMs();

/** The receiver lives again; resolves to the index of the probe that finds it so. */
async function recover(): Promise<number> {
  deedOf = () => 'answer';
  const before = arrivals.length;
  await bigpipe.run(breakPeriod * 1000 + openWithinMs, () => arrivals.length > before, stepMs);
  expect(arrivals.length).toBe(before + 1);
  return before;
}

/** The area under the curve from the probe on: from 1 a second to the full rate, by the same factor each second. */
function upTo(ms: number): number {
  const seconds = Math.max(0, ms / 1000);
  const growth = Math.log(perSecond) / recoverPeriod;
  const inside = Math.min(seconds, recoverPeriod);
  return Math.expm1(growth * inside) / growth + perSecond * (seconds - inside);
}

interface Excess {
  readonly percent: number;
  /** For windows in which one request is more than a tenth. */
  readonly requests: number;
}

/** The most above the curve in any second that begins with an arrival, and that is long enough ago to be complete. */
function mostAbove(probe: number, end = arrivals.length): Excess {
  const startMs = (arrivals[probe] as Arrival).atMs;
  const times = arrivals.slice(probe + 1, end).map(({ atMs }) => atMs - startMs);
  const most = { percent: 0, requests: 0 };
  let behind = 0;
  times.forEach((ms, i) => {
    while (behind < times.length && (times[behind] as number) < ms + 1000) behind += 1;
    const due = upTo(ms + 1000) - upTo(ms - stepMs);
    const above = behind - i - due;
    if (due >= 10) most.percent = Math.max(most.percent, (100 * above) / due);
    else most.requests = Math.max(most.requests, above);
  });
  return most;
}

/** Arrivals of each whole second since the probe. */
function seconds(probe: number): number[] {
  const startMs = (arrivals[probe] as Arrival).atMs;
  const counts = Array.from({ length: Math.floor((nowMs() - startMs) / 1000) }, () => 0);
  for (const { atMs } of arrivals.slice(probe + 1)) {
    const second = Math.floor((atMs - startMs) / 1000);
    if (second < counts.length) counts[second] = (counts[second] as number) + 1;
  }
  return counts;
}

function expectUnderCurve(what: string, { percent, requests }: Excess): void {
  console.log(
    `${what}: ${percent.toFixed(1)} % above the curve at most, ${requests.toFixed(2)} requests while it is low`,
  );
  expect(percent).toBeLessThanOrEqual(10);
  expect(requests).toBeLessThanOrEqual(1);
}

test.each(kinds)(
  'nothing but a probe while $name; then the curve, the full rate in time, and no herd',
  async (kind) => {
    await start(kind);
    const startMs = nowMs();
    await bigpipe.run(60_000, undefined, stepMs);
    const probes = arrivals.filter(({ atMs }) => atMs > startMs + openWithinMs).map(({ atMs }) => atMs);
    console.log(
      `dead for 60 s: ${arrivals.length - probes.length} attempts until the circuit was open, ${probes.length} probes`,
    );
    expect(probes.length).toBeLessThanOrEqual(60 / breakPeriod);
    for (const [i, atMs] of probes.entries()) {
      if (i > 0) expect(atMs - (probes[i - 1] as number)).toBeGreaterThanOrEqual(breakPeriod * 1000);
    }
    const probe = await recover();
    await bigpipe.run(120_000, () => taken() === messages, stepMs);
    expect(taken()).toBe(messages);
    expectUnderCurve('after the dead minute', mostAbove(probe));
    const counts = seconds(probe);
    const full = counts.findIndex((count) => count >= 0.98 * perSecond);
    console.log(`the first full second began ${full} s after the probe, recoverPeriod is ${recoverPeriod} s`);
    console.log(`a second: ${counts.join(' ')}`);
    expect(full).toBeGreaterThan(0);
    expect(full).toBeLessThanOrEqual(recoverPeriod * 1.1);
    const behind = counts.slice(full, -1);
    console.log(`once recovered: ${Math.min(...behind)} to ${Math.max(...behind)} a second at a limit of ${perSecond}`);
    expect(Math.max(...behind)).toBeLessThanOrEqual(perSecond * 1.1);
    expect(Math.min(...behind)).toBeGreaterThanOrEqual(perSecond * 0.9);
  },
);

test('30 % of failures in the middle of the ramp open it at once; the next ramp begins from the start', async () => {
  await start(kinds[0] as Kind);
  await bigpipe.run(20_000, undefined, stepMs);
  const probe = await recover();
  await bigpipe.run((recoverPeriod * 1000) / 2, undefined, stepMs);
  const failingFrom = arrivals.length;
  const failingMs = nowMs();
  deedOf = (number) => (number % 10 < 3 ? 'reset' : 'answer');
  // It is open once nothing has come for almost as long as it stays so.
  const isStill = () => nowMs() - (arrivals.at(-1) as Arrival).atMs >= breakPeriod * 1000 - 2 * stepMs;
  await bigpipe.run(recoverPeriod * 1000, isStill, stepMs);
  expect(isStill()).toBe(true);
  const unhealthy = arrivals.length - 1;
  const openedMs = (arrivals[unhealthy] as Arrival).atMs;
  console.log(
    `open ${((openedMs - failingMs) / 1000).toFixed(1)} s and ${unhealthy - failingFrom + 1} requests after every tenth began to fail three times`,
  );
  // By the window's arithmetic some 50 are needed.
  expect(unhealthy - failingFrom).toBeLessThanOrEqual(100);
  expectUnderCurve('until it opened again', mostAbove(probe, unhealthy));
  const next = await recover();
  expect((arrivals[next] as Arrival).atMs - openedMs).toBeGreaterThanOrEqual(breakPeriod * 1000);
  await bigpipe.run((recoverPeriod + 10) * 1000, undefined, stepMs);
  expectUnderCurve('the second time', mostAbove(next));
  const full = seconds(next).findIndex((count) => count >= 0.98 * perSecond);
  console.log(`the first full second began ${full} s after the second probe`);
  expect(full).toBeGreaterThan(0);
  expect(full).toBeLessThanOrEqual(recoverPeriod * 1.1);
});

test('a receiver that stalls in the middle of the ramp gets no herd when it goes on', async () => {
  await start(kinds[0] as Kind);
  await bigpipe.run(20_000, undefined, stepMs);
  const probe = await recover();
  await bigpipe.run(18_000, undefined, stepMs);
  deedOf = () => 'stall';
  // Less than the timeout, and enough to fill every slot.
  await bigpipe.run(4000, undefined, stepMs);
  expect(stalled.length).toBe(concurrency);
  deedOf = () => 'answer';
  for (const answer of stalled) answer();
  await bigpipe.run(20_000, undefined, stepMs);
  expectUnderCurve('with a stall', mostAbove(probe));
});
