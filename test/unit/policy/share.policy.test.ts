// What one destination may take of the subscription's concurrency, beside others and alone.
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '#src/message/outcome.js';
import type { Gate, Pass } from '#src/policy/policy.js';
import { SharePolicy } from '#src/policy/share.policy.js';
import { FakeClock } from '../../support/fake-clock.js';
import { aborted, refused, timedOut } from '../../support/outcomes.js';
import { delivered, failed, rejected } from '../../support/scripted-target.js';
import { fixed, newSubscription } from '../../support/subscription.js';

const candidate = { isRetry: false, firstsWait: true };

let clock: FakeClock;
let gate: Gate;
let open: Pass[];
let hasPeers: boolean;

beforeEach(() => newGate(20));

function newGate(max: number): void {
  clock = new FakeClock(5000);
  open = [];
  hasPeers = true;
  gate = new SharePolicy(clock).open({
    subscription: newSubscription({ concurrency: fixed(max) }),
    destination: { rate: null, concurrency: null },
    name: 'http://a.example',
    hasPeers: () => hasPeers,
    wake: () => undefined,
  });
}

/** Fills it up; how many are in flight then. */
function fill(): number {
  for (;;) {
    const entry = gate.enter(candidate);
    if ('hold' in entry) return open.length;
    open.push(entry.pass);
  }
}

function end(outcome: Outcome, times = 1): void {
  for (let i = 0; i < times; i += 1) open.shift()?.settle(outcome);
}

/** Times out until one probe is all that is left. */
function shrinkToProbe(): void {
  fill();
  while (open.length > 0) end(timedOut);
}

describe('beside others', () => {
  test.each([
    [20, 10],
    [2, 1],
    [1, 1],
    [5, 3],
  ])('of %d it gets %d, alone it gets all', (max, share) => {
    newGate(max);
    expect(fill()).toBe(share);
    hasPeers = false;
    expect(fill()).toBe(max);
    if (share === max) return;
    hasPeers = true;
    end(delivered);
    expect(gate.enter(candidate)).toMatchObject({ hold: { reason: 'concurrency' } });
  });
});

describe('one that only times out', () => {
  test('may time out twice in a row if it has answered before; then what it holds is halved with each one, down to a probe', () => {
    fill();
    end(delivered);
    fill();
    const bounds: number[] = [];
    for (let i = 0; i < 5; i += 1) {
      end(timedOut);
      clock.advance(100_000);
      bounds.push(fill());
    }
    // What is in flight beyond the bound stays.
    expect(bounds).toEqual([10, 10, 9, 8, 7]);
    while (open.length > 0) end(timedOut);
    clock.advance(100_000);
    expect(fill()).toBe(1);
  });

  test('that has never answered is a probe as soon as what it holds has timed out', () => {
    fill();
    while (open.length > 0) end(timedOut);
    clock.advance(1000);
    expect(fill()).toBe(1);
  });

  test('its probes have pauses beside others: as long as they took, then twice as long each time, up to 16 times or a minute', () => {
    fill();
    end(timedOut);
    while (open.length > 0) end(timedOut);
    const pauses: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      const entry = gate.enter(candidate);
      const untilMs = 'hold' in entry ? (entry.hold.untilMs as number) : 0;
      pauses.push(untilMs - clock.elapsedMs());
      clock.advance(untilMs - clock.elapsedMs() - 1);
      expect(fill()).toBe(0);
      clock.advance(1);
      expect(fill()).toBe(1);
      end({ ...timedOut, durationMs: 5000 } as Outcome);
    }
    expect(pauses.slice(1)).toEqual(pauses.slice(1).map((pause) => Math.min(pause, 60_000)));
    expect(pauses.at(-1)).toBe(60_000);
    expect(pauses).toEqual(pauses.toSorted((a, b) => a - b));
  });

  test('alone its probes have no pauses', () => {
    shrinkToProbe();
    hasPeers = false;
    expect(fill()).toBe(1);
  });

  test('grows by one with each answer, whatever that says, until it has all again', () => {
    shrinkToProbe();
    hasPeers = false;
    const bounds: number[] = [];
    for (const answer of [delivered, failed, rejected, delivered]) {
      fill();
      end(answer);
      bounds.push(fill());
    }
    expect(bounds).toEqual([2, 3, 4, 5]);
    for (let i = 0; i < 15; i += 1) {
      fill();
      end(delivered);
    }
    expect(fill()).toBe(20);
  });

  test('an answer between timeouts begins the count anew', () => {
    fill();
    end(delivered);
    fill();
    for (let i = 0; i < 10; i += 1) {
      end(timedOut, 2);
      fill();
      end(delivered);
      expect(fill()).toBe(10);
    }
  });
});

test('refused connections and attempts that we stopped say nothing about its share', () => {
  for (let i = 0; i < 50; i += 1) {
    fill();
    end(i % 2 === 0 ? refused : aborted);
  }
  expect(fill()).toBe(10);
});

test('whatever happens: never more than its share in flight, never held with nothing in flight but for a pause', () => {
  const aStep = fc.record({
    outcome: fc.constantFrom(delivered, failed, timedOut, timedOut, timedOut, refused, aborted),
    peers: fc.boolean(),
    waitMs: fc.integer({ min: 0, max: 1500 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 30 }), fc.array(aStep, { maxLength: 80, size: 'max' }), (max, steps) => {
      newGate(max);
      for (const { outcome, peers, waitMs } of steps) {
        hasPeers = peers;
        const before = open.length;
        fill();
        if (open.length > before) expect(open.length).toBeLessThanOrEqual(peers ? Math.ceil(max / 2) : max);
        const entry = gate.enter(candidate);
        if (open.length === 0 && 'hold' in entry) expect(entry.hold.untilMs).toBeGreaterThan(clock.elapsedMs());
        end(outcome);
        clock.advance(waitMs);
      }
    }),
  );
});
