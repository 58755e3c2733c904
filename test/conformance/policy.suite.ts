// Every promise of policy.ts as a test, over whatever may happen at a gate.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Clock } from '#src/message/clock.js';
import type { Outcome } from '#src/message/outcome.js';
import {
  type Candidate,
  type DispatchPolicy,
  type Entry,
  type Gate,
  type GateSettings,
  type Hold,
  holdReasons,
  type Pass,
} from '#src/policy/policy.js';
import { FakeClock } from '../support/fake-clock.js';
import { anOutcome } from '../support/outcomes.js';
import { delivered } from '../support/scripted-target.js';

export interface PolicyHarness {
  readonly make: (clock: Clock) => DispatchPolicy;
  /** The destination's name, null for the subscription itself. */
  readonly name: string | null;
  readonly hasPeers: boolean;
  /** With these it holds somebody sooner or later. */
  readonly settings: GateSettings;
  /** With these it lets everybody pass; null when it cannot be switched off. */
  readonly off: GateSettings | null;
  /** Other figures that let nobody pass whom `settings` hold; null when there are none. */
  readonly tighter: GateSettings | null;
  /** Other figures with which more may pass than with `settings`; null when there are none. */
  readonly looser: GateSettings | null;
}

type Step =
  | { readonly kind: 'ask'; readonly candidate: Candidate }
  | { readonly kind: 'settle'; readonly pick: number; readonly outcome: Outcome }
  | { readonly kind: 'wait'; readonly ms: number };

const first: Candidate = { isRetry: false, firstsWait: true };
const retry: Candidate = { isRetry: true, firstsWait: true };
const loneRetry: Candidate = { isRetry: true, firstsWait: false };
const aCandidate = fc.constantFrom(first, first, retry, retry, loneRetry);
const aWait = fc.oneof(
  fc.integer({ min: 0, max: 50 }),
  fc.integer({ min: 0, max: 3000 }),
  fc.integer({ min: 0, max: 15_000 }),
);

const aStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('ask' as const), candidate: aCandidate }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(), outcome: anOutcome }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: aWait }) },
);
const long = { maxLength: 80, size: 'max' } as const;
const aHistory = fc.array(aStep, long);
const runs = { numRuns: 500 };

/** One gate at work: what was let through and has not ended, and how often it woke whoever waits. */
class Visit {
  readonly gate: Gate;
  readonly open: Pass[] = [];
  wakes = 0;

  constructor(
    readonly clock: FakeClock,
    { make, name, hasPeers }: PolicyHarness,
    settings: GateSettings,
  ) {
    const wake = () => {
      this.wakes += 1;
    };
    this.gate = make(clock).open({ ...settings, name, hasPeers: () => hasPeers, wake });
  }

  ask(candidate: Candidate): Entry {
    const entry = this.gate.enter(candidate);
    if ('pass' in entry) this.open.push(entry.pass);
    return entry;
  }

  /** Whether somebody may pass, without letting him. */
  look(candidate: Candidate): Hold | null {
    const entry = this.gate.enter(candidate);
    if ('hold' in entry) return entry.hold;
    entry.pass.cancel();
    return null;
  }

  settle(pick: number, outcome: Outcome): void {
    const [pass] = this.open.splice(pick % Math.max(1, this.open.length), 1);
    pass?.settle(outcome);
  }

  do(step: Step): Entry | null {
    if (step.kind === 'ask') return this.ask(step.candidate);
    if (step.kind === 'settle') this.settle(step.pick, step.outcome);
    else this.clock.advance(step.ms);
    return null;
  }

  /** How many pass at once, up to a bound. */
  count(bound: number): number {
    for (let passed = 0; passed < bound; passed += 1) if ('hold' in this.ask(first)) return passed;
    return bound;
  }
}

const newVisit = (harness: PolicyHarness, settings = harness.settings) =>
  new Visit(new FakeClock(5000), harness, settings);

/** Two gates of the same settings and history; `between` is done to the second one only. */
function expectTwins(harness: PolicyHarness, between: (visit: Visit, candidate: Candidate) => void): void {
  const added = fc.array(fc.tuple(aStep, fc.option(aCandidate)), long);
  fc.assert(
    fc.property(added, (steps) => {
      const [plain, other] = [newVisit(harness), newVisit(harness)];
      for (const [step, candidate] of steps) {
        if (candidate !== null) between(other, candidate);
        const [expected, found] = [plain.do(step), other.do(step)];
        expectSameHold(holdIn(found), holdIn(expected));
      }
    }),
    runs,
  );
}

function expectSameHold(found: Hold | null, expected: Hold | null): void {
  expect(found?.reason).toBe(expected?.reason);
  // Adding up in more steps rounds in more steps.
  expect(found?.untilMs ?? 0).toBeCloseTo(expected?.untilMs ?? 0, 2);
}

const holdIn = (entry: Entry | null) => (entry !== null && 'hold' in entry ? entry.hold : null);

export function policySuite(title: string, harness: PolicyHarness): void {
  const { off, tighter, looser } = harness;
  /** A promise about settings that this policy does not have is no promise of it, and no test. */
  const about = (settings: GateSettings | null, define: (settings: GateSettings) => void) => {
    if (settings !== null) define(settings);
  };

  describe(`policy: ${title}`, () => {
    test('a new gate lets the first one pass', () => {
      for (const candidate of [first, retry, loneRetry]) expect(newVisit(harness).look(candidate)).toBeNull();
    });

    test('with these settings it holds somebody, and two gates share nothing', () => {
      let holds = 0;
      fc.assert(
        fc.property(aHistory, (history) => {
          const clock = new FakeClock(5000);
          const [visit, neighbour] = [new Visit(clock, harness, harness.settings), newVisit(harness)];
          for (const step of history) if (holdIn(visit.do(step)) !== null) holds += 1;
          expect(neighbour.look(first)).toBeNull();
        }),
        runs,
      );
      expect(holds).toBeGreaterThan(0);
    });

    about(off, (others) => {
      test('settings that switch it off let everything pass', () => {
        fc.assert(
          fc.property(aHistory, (history) => {
            const visit = newVisit(harness, others);
            for (const step of history) expect(holdIn(visit.do(step))).toBeNull();
            expect(visit.gate.state()).toBeNull();
          }),
          runs,
        );
      });
    });

    test('a hold says why, in a known word and a part of a sentence', () => {
      fc.assert(
        fc.property(aHistory, (history) => {
          const visit = newVisit(harness);
          for (const step of history) {
            const hold = holdIn(visit.do(step));
            if (hold === null) continue;
            expect(holdReasons).toContain(hold.reason);
            expect(hold.detail).not.toBe('');
          }
        }),
        runs,
      );
    });

    test('what it says of itself began in the past and changes in the future', () => {
      fc.assert(
        fc.property(aHistory, (history) => {
          const visit = newVisit(harness);
          for (const step of history) {
            visit.do(step);
            const state = visit.gate.state();
            if (state === null) continue;
            const nowMs = visit.clock.elapsedMs();
            expect(state.state).not.toBe('');
            expect(state.reason).not.toBe('');
            expect(state.sinceMs).toBeLessThanOrEqual(nowMs);
            // A probe that is due and not sent yet stands still at its time.
            if (state.nextChangeMs !== null) expect(state.nextChangeMs).toBeGreaterThan(state.sinceMs);
          }
        }),
        runs,
      );
    });

    test('a cancelled pass leaves the gate as if nobody had asked', () => {
      expectTwins(harness, (visit, candidate) => visit.look(candidate));
    });

    test('whoever asks at the time that a hold names passes, or is told a later time', () => {
      fc.assert(
        fc.property(aHistory, aCandidate, (history, candidate) => {
          const visit = newVisit(harness);
          for (const step of history) visit.do(step);
          for (let asked = 0; asked < 4; asked += 1) {
            const hold = visit.look(candidate);
            if (hold === null || hold.untilMs === null) return;
            const nowMs = visit.clock.elapsedMs();
            expect(hold.untilMs).toBeGreaterThan(nowMs);
            visit.clock.advance(Math.ceil(hold.untilMs - nowMs));
          }
          throw new Error('it was put off four times');
        }),
        runs,
      );
    });

    test('nobody may pass earlier than a hold said, or after one without a time, before wake was called', () => {
      fc.assert(
        fc.property(aHistory, aHistory, aCandidate, (history, later, candidate) => {
          const visit = newVisit(harness);
          for (const step of history) visit.do(step);
          const hold = visit.look(candidate);
          if (hold === null) return;
          const { wakes } = visit;
          for (const step of later) {
            if (step.kind !== 'ask') visit.do(step);
            if (visit.wakes > wakes) return;
            if (hold.untilMs !== null && visit.clock.elapsedMs() >= hold.untilMs) return;
            expect(visit.look(candidate)).not.toBeNull();
          }
        }),
        runs,
      );
    });

    test('once all have ended and time has passed, somebody passes again: nothing leaks', () => {
      fc.assert(
        fc.property(aHistory, aCandidate, (history, candidate) => {
          const visit = newVisit(harness);
          for (const step of history) visit.do(step);
          while (visit.open.length > 0) visit.settle(0, { kind: 'aborted' });
          visit.clock.advance(600_000);
          expect(visit.look(candidate)).toBeNull();
        }),
        runs,
      );
    });

    test('attempts that we ourselves stopped are no failures: later it is as a new one', () => {
      const visit = newVisit(harness);
      const fresh = newVisit(harness);
      for (let i = 0; i < 100; i += 1) {
        visit.ask(i % 2 === 0 ? first : retry);
        visit.settle(0, { kind: 'aborted' });
        visit.clock.advance(20);
      }
      visit.clock.advance(300_000);
      expect(visit.gate.state()).toBeNull();
      expect(visit.count(50)).toBe(fresh.count(50));
    });

    test('the same settings once more change nothing', () => {
      expectTwins(harness, (visit) => visit.gate.adjust(structuredClone(plainOf(harness.settings))));
    });

    about(tighter, (others) => {
      test('tighter settings let nobody pass who was held: its counters stay', () => {
        fc.assert(
          fc.property(aHistory, aCandidate, (history, candidate) => {
            const visit = newVisit(harness);
            for (const step of history) visit.do(step);
            const before = visit.look(candidate);
            visit.gate.adjust(others);
            if (before !== null) expect(visit.look(candidate)).not.toBeNull();
          }),
          runs,
        );
      });
    });

    about(tighter, (others) => {
      test('after new settings every pass from before still ends well', () => {
        fc.assert(
          fc.property(aHistory, aHistory, (history, later) => {
            const visit = newVisit(harness);
            for (const step of history) visit.do(step);
            visit.gate.adjust(others);
            for (const step of later) visit.do(step);
            visit.gate.adjust(harness.settings);
            while (visit.open.length > 0) visit.settle(0, { kind: 'aborted' });
            // What was learned of the receiver may be forgotten by answers only.
            for (let i = 0; i < 50; i += 1) {
              visit.clock.advance(1000);
              visit.ask(first);
              visit.settle(0, delivered);
            }
            visit.clock.advance(600_000);
            expect(visit.count(50)).toBe(newVisit(harness).count(50));
          }),
          runs,
        );
      });
    });

    about(looser, (others) => {
      test('looser settings wake whoever may pass earlier than he was told', () => {
        fc.assert(
          fc.property(aHistory, aCandidate, (history, candidate) => {
            const visit = newVisit(harness);
            for (const step of history) visit.do(step);
            const before = visit.look(candidate);
            const { wakes } = visit;
            visit.gate.adjust(others);
            if (isSooner(visit.look(candidate), before)) expect(visit.wakes).toBeGreaterThan(wakes);
          }),
          runs,
        );
      });
    });

    test('after close nothing pends on the clock, also when attempts end later', () => {
      fc.assert(
        fc.property(aHistory, fc.array(anOutcome), (history, outcomes) => {
          const visit = newVisit(harness);
          for (const step of history) visit.do(step);
          visit.gate.close();
          expect(visit.clock.pending).toBe(0);
          for (const outcome of outcomes) visit.settle(0, outcome);
          expect(visit.clock.pending).toBe(0);
        }),
        runs,
      );
    });
  });
}

/** True when somebody who was held may pass, or is told a time that is earlier than the one before. */
function isSooner(after: Hold | null, before: Hold | null): boolean {
  if (before === null) return false;
  return after === null || (after.untilMs ?? Number.POSITIVE_INFINITY) < (before.untilMs ?? Number.POSITIVE_INFINITY);
}

/** Verdicts hold a map of sets, which no gate reads. */
function plainOf({ subscription, destination }: GateSettings): GateSettings {
  return { subscription: JSON.parse(JSON.stringify(subscription)), destination };
}
