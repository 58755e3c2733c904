// A receiver that asks once to be left alone for 5 s gets nothing for 5 s, then a growing rate; its neighbour notices nothing.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeClock } from '../support/fake-clock.js';
import { SimulatedBigpipe } from '../support/simulated-bigpipe.js';
import { TargetServer } from '../support/target-server.js';

const perSecond = 100;
const pauseMs = 5000;
/** Requests are on their way to it while it says so. */
const answerMs = 100;
const asksAfterMs = 3000;
const stepMs = 5;
const messages = 4000;

let clock: FakeClock;
let bigpipe: SimulatedBigpipe;
let held: number;
/** When requests came, by the simulation's clock. */
let asking: { target: TargetServer; arrivals: number[] };
let other: { target: TargetServer; arrivals: number[] };
let askedAtMs: number | null;
let status: number;
let startMs: number;

beforeEach(async () => {
  clock = new FakeClock(Date.now());
  startMs = clock.elapsedMs();
  held = 0;
  askedAtMs = null;
  asking = await receiver(() => {
    if (askedAtMs !== null || clock.elapsedMs() < startMs + asksAfterMs) return false;
    askedAtMs = clock.elapsedMs();
    return true;
  });
  other = await receiver(() => false);
  const urls = [asking.target.url(), other.target.url()];
  bigpipe = await SimulatedBigpipe.start({
    consumer: { rateLimit: 1000, concurrency: 64, retries: 5, destination: { rateLimit: perSecond, burst: 1 } },
    backlog: Array.from({ length: messages }, (_, i) => ({ key: `k${i}`, url: urls[i % 2] as string })),
    clock,
    held: () => held,
  });
});

afterEach(async () => {
  await bigpipe.dispose();
  await asking.target.close();
  await other.target.close();
});

async function receiver(asksToWait: () => boolean): Promise<{ target: TargetServer; arrivals: number[] }> {
  const arrivals: number[] = [];
  const target = await TargetServer.start((_arrival, response) => {
    arrivals.push(clock.elapsedMs());
    held += 1;
    clock.setTimer(answerMs, () => {
      held -= 1;
      if (asksToWait()) response.writeHead(status, { 'retry-after': String(pauseMs / 1000) });
      response.end();
    });
  });
  return { target, arrivals };
}

const between = (arrivals: readonly number[], fromMs: number, toMs: number) =>
  arrivals.filter((ms) => ms > fromMs && ms <= toMs).length;

test.each([429, 503])('one %i with Retry-After: 5', async (answer) => {
  status = answer;
  await bigpipe.run(15_000, undefined, stepMs);
  expect(askedAtMs).not.toBeNull();
  const fromMs = askedAtMs as unknown as number;
  const inFlight = between(asking.arrivals, fromMs - answerMs, fromMs);
  const seconds = (arrivals: readonly number[]) =>
    Array.from({ length: 14 }, (_, i) => between(arrivals, startMs + i * 1000, startMs + (i + 1) * 1000));
  const [next] = asking.arrivals.filter((ms) => ms > fromMs);
  console.log(`it asked with ${inFlight} on their way; the next one came ${(next as number) - fromMs} ms later`);
  console.log(`a second: ${seconds(asking.arrivals).join(' ')}; its neighbour: ${seconds(other.arrivals).join(' ')}`);
  expect(inFlight).toBeGreaterThan(1);
  expect(between(asking.arrivals, fromMs, fromMs + pauseMs - 1)).toBe(0);
  // It did go on: a pause that never ends is no answer to this.
  expect(between(asking.arrivals, fromMs + pauseMs - 1, fromMs + pauseMs + 1000)).toBeGreaterThan(0);
  for (const count of seconds(other.arrivals)) expect(Math.abs(count - perSecond)).toBeLessThanOrEqual(1);
});
