// How many of a destination's attempts may be retries.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Gate } from '#src/policy/policy.js';
import { RetryBudgetPolicy } from '#src/policy/retry-budget.policy.js';
import { FakeClock } from '../../support/fake-clock.js';
import { newSubscription } from '../../support/subscription.js';

const first = { isRetry: false, firstsWait: true };
const retry = { isRetry: true, firstsWait: true };
const loneRetry = { isRetry: true, firstsWait: false };

function newGate(clock: FakeClock, share = 0.2, floorPerSecond = 1): Gate {
  return new RetryBudgetPolicy(clock).open({
    subscription: newSubscription({ retryBudget: { share, floorPerSecond } }),
    destination: { rate: null, concurrency: null },
    name: 'http://a.example',
    hasPeers: () => false,
    wake: () => undefined,
  });
}

const passes = (gate: Gate, candidate: typeof first) => 'pass' in gate.enter(candidate);

test('a few retries a second pass whatever the share, then none while first attempts wait', () => {
  const gate = newGate(new FakeClock(5000));
  for (let i = 0; i < 10; i += 1) expect(passes(gate, retry)).toBe(true);
  expect(gate.enter(retry)).toMatchObject({
    hold: { reason: 'budget', detail: 'retries have had their 20 % of the attempts' },
  });
  expect(passes(gate, first)).toBe(true);
});

test('retries for which nobody would wait are free', () => {
  const gate = newGate(new FakeClock(5000));
  for (let i = 0; i < 1000; i += 1) expect(passes(gate, loneRetry)).toBe(true);
  expect(passes(gate, retry)).toBe(false);
});

test('what leaves the window is forgotten', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  for (let i = 0; i < 10; i += 1) gate.enter(retry);
  clock.advance(9999);
  expect(passes(gate, retry)).toBe(false);
  clock.advance(1);
  expect(passes(gate, retry)).toBe(true);
});

test('while first attempts wait, retries never take more than their share of the window, and as much as that', () => {
  const aRun = fc.record({
    share: fc.constantFrom(0, 0.1, 0.2, 0.5, 1),
    floorPerSecond: fc.constantFrom(0.1, 1, 5),
    gapsMs: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 500, maxLength: 800, size: 'max' }),
  });
  fc.assert(
    fc.property(aRun, ({ share, floorPerSecond, gapsMs }) => {
      const clock = new FakeClock(5000);
      const gate = newGate(clock, share, floorPerSecond);
      const attempts: { second: number; isRetry: boolean }[] = [];
      for (const gapMs of gapsMs) {
        clock.advance(gapMs);
        const isRetry = passes(gate, retry);
        if (!isRetry) expect(passes(gate, first)).toBe(true);
        const second = Math.floor(clock.elapsedMs() / 1000);
        attempts.push({ second, isRetry });
        const inWindow = attempts.filter((attempt) => attempt.second > second - 10);
        const retries = inWindow.filter((attempt) => attempt.isRetry).length;
        const allowed = Math.max(floorPerSecond * 10, share * inWindow.length);
        if (isRetry) expect(retries).toBeLessThanOrEqual(allowed);
        else expect(retries + 1).toBeGreaterThan(allowed);
      }
    }),
    { numRuns: 20 },
  );
});
