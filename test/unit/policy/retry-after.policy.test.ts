// A receiver that asks to be left alone, and how its rate grows back.
import { expect, test } from 'vitest';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import type { Gate, Pass } from '#src/policy/policy.js';
import { RetryAfterPolicy } from '#src/policy/retry-after.policy.js';
import { FakeClock } from '../../support/fake-clock.js';
import { busy } from '../../support/outcomes.js';
import { newSubscription, perSecond } from '../../support/subscription.js';

const first = { isRetry: false, firstsWait: true };

function newGate(clock: FakeClock, changes: Partial<SubscriptionSettings> = {}): Gate {
  return new RetryAfterPolicy(clock).open({
    subscription: newSubscription({ rate: perSecond(100), ...changes }),
    destination: { rate: null, concurrency: null },
    name: 'http://a.example',
    hasPeers: () => false,
    wake: () => undefined,
  });
}

function passOf(gate: Gate): Pass {
  const entry = gate.enter(first);
  if ('hold' in entry) throw new Error(`held: ${entry.hold.detail}`);
  return entry.pass;
}

/** When each of the attempts passes, in ms from now, under endless demand. */
function arrivals(clock: FakeClock, gate: Gate, forMs: number): number[] {
  const passed: number[] = [];
  for (let ms = 0; ms < forMs; ms += 1) {
    while (passed.length < 100_000 && 'pass' in gate.enter(first)) passed.push(ms);
    clock.advance(1);
  }
  return passed;
}

test('nothing passes before the time that was asked for, then the rate grows from one a second to the full one', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  passOf(gate).settle(busy(429, 5000));
  expect(gate.state()).toMatchObject({ state: 'held', sinceMs: 5000, nextChangeMs: 10_000 });
  const passed = arrivals(clock, gate, 20_000);
  const inSecond = (second: number) => passed.filter((ms) => Math.floor(ms / 1000) === second).length;
  expect([0, 1, 2, 3, 4].map(inSecond)).toEqual([0, 0, 0, 0, 0]);
  expect(passed[0]).toBe(5000);
  expect(inSecond(5)).toBeLessThanOrEqual(3);
  for (let second = 6; second < 10; second += 1) expect(inSecond(second)).toBeGreaterThan(inSecond(second - 1));
  for (let second = 10; second < 20; second += 1) {
    expect(inSecond(second)).toBeGreaterThanOrEqual(99);
    expect(inSecond(second)).toBeLessThanOrEqual(102);
  }
  expect(gate.state()).toBeNull();
});

test('it is obeyed up to the bound', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock, { retryAfterMaxMs: 3000 });
  passOf(gate).settle(busy(503, 9_999_999_000));
  expect(gate.enter(first)).toMatchObject({ hold: { reason: 'retry-after', untilMs: 8000 } });
});

test('of several the longest counts', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  const passes = [passOf(gate), passOf(gate), passOf(gate)];
  passes[0]?.settle(busy(429, 2000));
  passes[1]?.settle(busy(429, 6000));
  passes[2]?.settle(busy(429, 1000));
  expect(gate.enter(first)).toMatchObject({ hold: { untilMs: 11_000 } });
});

test('the rate grows over the circuit breaker’s recoverPeriod where there is one', () => {
  const clock = new FakeClock(5000);
  const circuit = { breakPeriodMs: 1000, recoverPeriodMs: 40_000, windowSeconds: 5, minStats: 5, healthRate: 0.5 };
  const gate = newGate(clock, { circuit });
  passOf(gate).settle(busy(429, 1000));
  clock.advance(1000);
  expect(gate.state()).toMatchObject({ state: 'growing', nextChangeMs: 46_000 });
});

test('no Retry-After, or one of no time, holds nobody', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  passOf(gate).settle(busy(429));
  passOf(gate).settle(busy(503, 0));
  passOf(gate);
  expect(gate.state()).toBeNull();
});
