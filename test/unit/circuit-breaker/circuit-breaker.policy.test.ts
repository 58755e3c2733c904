// The circuit before a destination: what counts as a failure, who is woken when, and what happens to its timer.
import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { CircuitBreakerPolicy } from '#src/circuit-breaker/circuit-breaker.policy.js';
import type { CircuitSettings } from '#src/config-watch/settings.js';
import type { Outcome } from '#src/message/outcome.js';
import type { Gate, GateSettings, Pass } from '#src/policy/policy.js';
import { FakeClock } from '../../support/fake-clock.js';
import { aborted, busy, refused, timedOut } from '../../support/outcomes.js';
import { delivered, failed, rejected } from '../../support/scripted-target.js';
import { newSubscription, perSecond } from '../../support/subscription.js';

const circuit = { breakPeriodMs: 2000, recoverPeriodMs: 5000, windowSeconds: 5, minStats: 4, healthRate: 0.5 };
const first = { isRetry: false, firstsWait: true };
const settings = (changes: Partial<CircuitSettings> = {}): GateSettings => ({
  subscription: newSubscription({ rate: perSecond(100), circuit: { ...circuit, ...changes } }),
  destination: { rate: null, concurrency: null },
});

let clock: FakeClock;
let gate: Gate;
let wakes: number;

// It tells each of its changes.
beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));

beforeEach(() => {
  clock = new FakeClock(5000);
  wakes = 0;
  const wake = () => {
    wakes += 1;
  };
  gate = new CircuitBreakerPolicy(clock).open({
    ...settings(),
    name: 'http://a.example',
    hasPeers: () => false,
    wake,
  });
});

function enter(): Pass {
  const entry = gate.enter(first);
  if ('hold' in entry) throw new Error(`held: ${entry.hold.detail}`);
  return entry.pass;
}

const attempts = (outcome: Outcome, times: number) => {
  for (let i = 0; i < times; i += 1) enter().settle(outcome);
};

function openWith(outcome: Outcome = refused): void {
  attempts(outcome, 4);
  expect(gate.state()?.state).toBe('open');
}

/** Its probe is under way. */
function probing(): Pass {
  openWith();
  clock.advance(2000);
  return enter();
}

test.each<[string, Outcome]>([
  ['a timeout', timedOut],
  ['a refused connection', refused],
  ['500', failed],
  ['429', busy(429)],
])('%s is a failure', (_what, outcome) => {
  openWith(outcome);
});

test.each<[string, Outcome]>([
  ['a delivery', delivered],
  ['a refusal of the message', rejected],
  ['an attempt that we stopped', aborted],
])('%s is none', (_what, outcome) => {
  attempts(outcome, 50);
  expect(gate.state()).toBeNull();
});

test('whoever waits for a probe is woken when it has ended, however it ended', () => {
  const probe = probing();
  expect(gate.enter(first)).toMatchObject({ hold: { reason: 'circuit', untilMs: null } });
  const before = wakes;
  probe.settle(refused);
  expect(wakes).toBeGreaterThan(before);
  expect(gate.enter(first)).toMatchObject({ hold: { untilMs: clock.elapsedMs() + 2000 } });
  clock.advance(2000);
  const second = enter();
  const later = wakes;
  second.settle(aborted);
  expect(wakes).toBeGreaterThan(later);
  const third = enter();
  const last = wakes;
  third.settle(delivered);
  expect(wakes).toBeGreaterThan(last);
  expect(gate.state()).toMatchObject({ state: 'recovering', reason: 'a probe went well' });
});

test('recovering ends on time without anybody asking, and wakes whoever waits', () => {
  probing().settle(delivered);
  const before = wakes;
  clock.advance(4999);
  expect([wakes, clock.pending]).toEqual([before, 1]);
  clock.advance(1);
  expect(wakes).toBeGreaterThan(before);
  expect([gate.state(), clock.pending]).toEqual([null, 0]);
});

test('a failure while recovering takes its timer away', () => {
  probing().settle(delivered);
  for (let failures = 0; failures < 4; ) {
    const entry = gate.enter(first);
    if ('pass' in entry) {
      entry.pass.settle(refused);
      failures += 1;
    } else clock.advance(10);
  }
  expect([gate.state()?.state, clock.pending]).toEqual(['open', 0]);
});

test('the same figures leave it as it is; without figures it lets everybody pass', () => {
  openWith();
  gate.adjust(settings());
  expect(gate.state()?.state).toBe('open');
  gate.adjust({ ...settings(), subscription: newSubscription({ circuit: null }) });
  enter();
  expect(gate.state()).toBeNull();
});

test('other figures leave an open circuit open', () => {
  openWith();
  gate.adjust(settings({ windowSeconds: 6 }));
  expect(gate.state()?.state).toBe('open');
});

test('close takes its timer away', () => {
  probing().settle(delivered);
  expect(clock.pending).toBe(1);
  gate.close();
  expect(clock.pending).toBe(0);
});

test('a probe that ends well after close leaves nothing on the clock', () => {
  const probe = probing();
  gate.close();
  probe.settle(delivered);
  expect(clock.pending).toBe(0);
});

test('an attempt that we stopped while recovering was sent all the same: its token is gone', () => {
  probing().settle(delivered);
  clock.advance(1000);
  enter().settle(aborted);
  expect(gate.enter(first)).toHaveProperty('hold');
});
