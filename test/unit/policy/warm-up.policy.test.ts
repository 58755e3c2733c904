// A new destination begins with a share and grows to all of it.
import { expect, test } from 'vitest';
import type { Gate, Pass } from '#src/policy/policy.js';
import { WarmUpPolicy } from '#src/policy/warm-up.policy.js';
import { FakeClock } from '../../support/fake-clock.js';
import { delivered } from '../../support/scripted-target.js';
import { fixed, newSubscription, perSecond } from '../../support/subscription.js';

const first = { isRetry: false, firstsWait: true };

function newGate(clock: FakeClock, wake: () => void = () => undefined): Gate {
  return new WarmUpPolicy(clock).open({
    subscription: newSubscription({ warmupMs: 10_000, rate: perSecond(100), concurrency: fixed(50) }),
    destination: { rate: null, concurrency: null },
    name: 'http://a.example',
    hasPeers: () => false,
    wake,
  });
}

function arrivals(clock: FakeClock, gate: Gate, seconds: number): number[] {
  return Array.from({ length: seconds }, () => {
    let passed = 0;
    for (let ms = 0; ms < 1000; ms += 1) {
      for (let entry = gate.enter(first); 'pass' in entry && passed < 10_000; entry = gate.enter(first)) {
        passed += 1;
        entry.pass.settle(delivered);
      }
      clock.advance(1);
    }
    return passed;
  });
}

/** As many as pass at one moment, and stay in flight. */
function fill(gate: Gate): Pass[] {
  const open: Pass[] = [];
  for (let entry = gate.enter(first); 'pass' in entry && open.length < 1000; entry = gate.enter(first)) {
    open.push(entry.pass);
  }
  return open;
}

test('the rate grows from a tenth to the full one, then a burst is saved up first', () => {
  const clock = new FakeClock(5000);
  const passed = arrivals(clock, newGate(clock), 15);
  expect(passed[0]).toBeGreaterThanOrEqual(9);
  expect(passed[0]).toBeLessThanOrEqual(14);
  for (let second = 1; second < 10; second += 1) {
    expect(passed[second] as number).toBeGreaterThan(passed[second - 1] as number);
  }
  for (const count of passed.slice(10)) expect(Math.abs(count - 100)).toBeLessThanOrEqual(2);
});

test('of the concurrency it gets a tenth at first, and all in the end', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  const open = fill(gate);
  for (let ms = 0; ms < 900; ms += 1) {
    clock.advance(1);
    open.push(...fill(gate));
  }
  expect(open.length).toBe(6);
  for (let ms = 0; ms < 10_000; ms += 1) {
    clock.advance(1);
    open.push(...fill(gate));
  }
  expect(open.length).toBe(50);
});

test('after a minute of silence it begins anew, after less it does not', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  arrivals(clock, gate, 20);
  clock.advance(59_000);
  expect(gate.state()).toBeNull();
  expect(fill(gate).length).toBeGreaterThan(1);
  clock.advance(60_001);
  expect(fill(gate).length).toBeLessThanOrEqual(1);
  expect(gate.state()).toMatchObject({ state: 'warming up', nextChangeMs: clock.elapsedMs() + 10_000 });
});

test('who passes and does not go leaves his token and his place to the next', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  for (let i = 0; i < 20; i += 1) {
    const entry = gate.enter(first);
    if ('hold' in entry) throw new Error(`held: ${entry.hold.detail}`);
    entry.pass.cancel();
  }
  expect(fill(gate).length).toBe(1);
});

test('whoever is held by the limit of requests in flight is told when it will have grown', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  for (let ms = 0; ms < 900; ms += 1) {
    fill(gate);
    clock.advance(1);
  }
  const entry = gate.enter(first);
  const untilMs = 'hold' in entry ? entry.hold.untilMs : null;
  clock.advance(Math.ceil((untilMs as number) - clock.elapsedMs()));
  expect(fill(gate).length).toBe(1);
});

test('who asks and does not go has not begun the warm-up', () => {
  const clock = new FakeClock(5000);
  const gate = newGate(clock);
  const entry = gate.enter(first);
  if ('pass' in entry) entry.pass.cancel();
  clock.advance(30_000);
  expect(fill(gate).length).toBe(1);
});
