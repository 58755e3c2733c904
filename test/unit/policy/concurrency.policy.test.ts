// Requests in flight at once: a fixed number, or one that follows how the receiver answers.
import { beforeEach, expect, test } from 'vitest';
import type { Outcome } from '#src/message/outcome.js';
import { ConcurrencyPolicy } from '#src/policy/concurrency.policy.js';
import type { Gate, GateSettings, Pass } from '#src/policy/policy.js';
import { aborted, busy, refused, timedOut } from '../../support/outcomes.js';
import { delivered, failed, rejected } from '../../support/scripted-target.js';
import { fixed, newSubscription } from '../../support/subscription.js';

const first = { isRetry: false, firstsWait: true };
const settings = (concurrency: { min: number; max: number } | null, ofSubscription = fixed(1000)): GateSettings => ({
  subscription: newSubscription({ concurrency: ofSubscription }),
  destination: { rate: null, concurrency },
});

let open: Pass[];

beforeEach(() => {
  open = [];
});

function newGate(from: GateSettings): Gate {
  return new ConcurrencyPolicy().open({
    ...from,
    name: 'http://a.example',
    hasPeers: () => false,
    wake: () => undefined,
  });
}

function fill(gate: Gate): number {
  for (;;) {
    const entry = gate.enter(first);
    if ('hold' in entry || open.length >= 500) return open.length;
    open.push(entry.pass);
  }
}

/** As many rounds of nothing but this outcome; the limit then. */
function press(gate: Gate, outcome: Outcome, rounds: number): number {
  for (let round = 0; round < rounds; round += 1) {
    fill(gate);
    for (const pass of open.splice(0)) pass.settle(outcome);
  }
  return fill(gate);
}

test.each<[string, Outcome]>([
  ['a timeout', timedOut],
  ['429', busy(429)],
  ['503', busy(503)],
])('%s shrinks what adapts', (_what, outcome) => {
  expect(press(newGate(settings({ min: 2, max: 100 })), outcome, 30)).toBe(2);
});

test('delivered, quickly answered, lets it grow', () => {
  expect(press(newGate(settings({ min: 2, max: 30 })), delivered, 100)).toBe(30);
});

test.each<[string, Outcome]>([
  ['500, however quickly', failed],
  ['400, however quickly', rejected],
  ['a refused connection', refused],
  ['an attempt that we stopped', aborted],
])('%s says nothing', (_what, outcome) => {
  expect(press(newGate(settings({ min: 2, max: 100 })), outcome, 100)).toBe(10);
});

test('what is fixed learns nothing', () => {
  expect(press(newGate(settings(fixed(7))), timedOut, 30)).toBe(7);
});

test('where the subscription adapts, each destination does within its bounds; one with a number of its own does not', () => {
  const ofSubscription = { min: 3, max: 40 };
  expect(press(newGate(settings(null, ofSubscription)), timedOut, 30)).toBe(3);
  open = [];
  expect(press(newGate(settings(fixed(5), ofSubscription)), timedOut, 30)).toBe(5);
  open = [];
  expect(fill(newGate(settings(null)))).toBe(500);
});
