// The circuit as a state machine: what passes in which state, and what moves it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CircuitBreaker } from '#src/circuit-breaker/circuit-breaker.js';

const settings = { breakPeriodMs: 2000, recoverPeriodMs: 10_000, windowSeconds: 5, minStats: 4, healthRate: 0.75 };
const full = { perSecond: 200, burst: 200 };

/** A circuit that four failures have just opened. */
function opened(nowMs: number): CircuitBreaker {
  const circuit = new CircuitBreaker(settings, full, nowMs);
  fail(circuit, 4, nowMs);
  return circuit;
}

function fail(circuit: CircuitBreaker, times: number, nowMs: number): void {
  for (let i = 0; i < times; i += 1) {
    const answer = circuit.enter(nowMs);
    if (answer.kind !== 'wait') circuit.settle(answer.stage, false, nowMs);
  }
}

/** One whose probe went well at that moment. */
function recovering(nowMs: number): CircuitBreaker {
  const circuit = opened(nowMs - settings.breakPeriodMs);
  settleProbe(circuit, true, nowMs);
  return circuit;
}

function settleProbe(circuit: CircuitBreaker, healthy: boolean, nowMs: number): void {
  const answer = circuit.enter(nowMs);
  if (answer.kind !== 'probe') throw new Error(`no probe but ${answer.kind}`);
  circuit.settle(answer.stage, healthy, nowMs);
}

test('closed: all pass, and it says nothing', () => {
  const circuit = new CircuitBreaker(settings, full, 0);
  for (let i = 0; i < 10_000; i += 1) expect(circuit.enter(i).kind).toBe('go');
  expect([circuit.state, circuit.reason, circuit.nextChangeMs, circuit.rateAt(0)]).toEqual(['closed', '', null, null]);
});

describe('open', () => {
  test('opens with the attempt that makes it unhealthy, and says why and until when', () => {
    const circuit = new CircuitBreaker(settings, full, 0);
    fail(circuit, 3, 500);
    expect(circuit.state).toBe('closed');
    fail(circuit, 1, 600);
    expect([circuit.state, circuit.sinceMs, circuit.nextChangeMs]).toEqual(['open', 600, 2600]);
    expect(circuit.reason).toBe('0 of 4 attempts of the last 5 s went well, less than 0.75');
  });

  test('opens by time alone when the good answers leave the window', () => {
    const circuit = new CircuitBreaker(settings, full, 0);
    for (let i = 0; i < 20; i += 1) circuit.settle(0, true, 0);
    for (let i = 0; i < 4; i += 1) circuit.settle(0, false, 2000);
    expect(circuit.state).toBe('closed');
    circuit.advance(5000);
    expect(circuit.state).toBe('open');
  });

  test('for breakPeriod nothing passes, then one probe at a time', () => {
    const circuit = opened(0);
    for (const nowMs of [0, 1000, 1999]) expect(circuit.enter(nowMs)).toEqual({ kind: 'wait', untilMs: 2000 });
    expect(circuit.enter(2000).kind).toBe('probe');
    for (const nowMs of [2000, 9000, 900_000]) expect(circuit.enter(nowMs)).toEqual({ kind: 'wait', untilMs: null });
    expect(circuit.nextChangeMs).toBeNull();
  });

  test('a probe that failed is followed by another breakPeriod, counted from its end', () => {
    const circuit = opened(0);
    const probe = circuit.enter(2000);
    circuit.settle(probe.kind === 'probe' ? probe.stage : -1, false, 2700);
    expect(circuit.state).toBe('open');
    expect(circuit.enter(4699)).toEqual({ kind: 'wait', untilMs: 4700 });
    expect(circuit.enter(4700).kind).toBe('probe');
  });

  test('a probe that does not take place leaves its place to the next', () => {
    const circuit = opened(0);
    const probe = circuit.enter(2000);
    circuit.cancel(probe.kind === 'probe' ? probe.stage : -1);
    expect(circuit.enter(2000).kind).toBe('probe');
  });
});

describe('recovering', () => {
  test.each([0, 1234.5])(
    'under endless demand, all answered, never more than one above the curve, and almost all of it is used (from %d)',
    (at) => {
      const circuit = recovering(10_000 + at);
      let taken = 0;
      let area = 0;
      for (let ms = 0; ms <= settings.recoverPeriodMs; ms += 1) {
        const nowMs = 10_000 + at + ms;
        const rate = circuit.rateAt(nowMs);
        for (let answer = circuit.enter(nowMs); answer.kind !== 'wait'; answer = circuit.enter(nowMs)) {
          taken += 1;
          circuit.settle(answer.stage, true, nowMs);
        }
        expect(taken).toBeLessThanOrEqual(area + 1);
        expect(taken).toBeGreaterThan(area * 0.9 - 2);
        area += (rate ?? full.perSecond) / 1000;
      }
      expect(circuit.state).toBe('closed');
    },
  );

  test('begins with as many as a probe, ends with the full rate, and grows all the way', () => {
    const circuit = recovering(10_000);
    expect(circuit.rateAt(10_000)).toBe(1);
    let before = 0;
    for (let nowMs = 10_000; nowMs < 20_000; nowMs += 100) {
      const rate = circuit.rateAt(nowMs) as number;
      expect(rate).toBeGreaterThan(before);
      before = rate;
    }
    expect(circuit.rateAt(19_999.999)).toBeCloseTo(full.perSecond, 2);
  });

  test('once closed there is no herd: after the end no second has more than the full rate', () => {
    const circuit = recovering(10_000);
    const takenAt: number[] = [];
    for (let nowMs = 10_000; nowMs <= 25_000; nowMs += 1) {
      while (circuit.enter(nowMs).kind === 'go') takenAt.push(nowMs);
    }
    takenAt.forEach((at, i) => {
      const inSecond = takenAt.slice(i).findIndex((other) => other >= at + 1000);
      if (inSecond >= 0) expect(inSecond).toBeLessThanOrEqual(full.perSecond + 2);
    });
  });

  test('falls back at once when health falls, a few failures on end being enough', () => {
    const circuit = recovering(10_000);
    fail(circuit, 1, 14_000);
    expect(circuit.state).toBe('recovering');
    for (let nowMs = 14_001; circuit.state === 'recovering'; nowMs += 1) fail(circuit, 1, nowMs);
    expect(circuit.state).toBe('open');
    expect(circuit.enter(circuit.sinceMs).kind).toBe('wait');
    expect(circuit.nextChangeMs).toBe(circuit.sinceMs + settings.breakPeriodMs);
  });

  test('falls back by a few failures on end though they are too few for a share', () => {
    const patient = new CircuitBreaker({ ...settings, minStats: 100 }, full, 0);
    for (let i = 0; i < 100; i += 1) patient.settle(0, false, 0);
    settleProbe(patient, true, 10_000);
    for (let i = 0; i < 4; i += 1) patient.settle(2, false, 12_000);
    patient.settle(2, true, 12_000);
    for (let i = 0; i < 4; i += 1) patient.settle(2, false, 12_000);
    expect(patient.state).toBe('recovering');
    patient.settle(2, false, 12_000);
    expect([patient.state, patient.reason]).toEqual(['open', '5 attempts in a row failed while recovering']);
  });

  test('falls back at any moment of it', () => {
    const others = recovering(10_000);
    for (let i = 0; i < 4; i += 1) others.settle(2, false, 12_000);
    expect([others.state, others.sinceMs]).toEqual(['open', 12_000]);
  });

  test('closes after recoverPeriod without any traffic', () => {
    const circuit = recovering(10_000);
    circuit.advance(19_999);
    expect([circuit.state, circuit.nextChangeMs]).toEqual(['recovering', 20_000]);
    circuit.advance(20_000);
    expect([circuit.state, circuit.reason, circuit.sinceMs, circuit.nextChangeMs]).toEqual([
      'closed',
      'recovered',
      20_000,
      null,
    ]);
  });

  test('what it saw while recovering counts once it is closed', () => {
    const circuit = recovering(10_000);
    for (let i = 0; i < 3; i += 1) circuit.settle(2, false, 19_000);
    circuit.advance(20_000);
    expect(circuit.state).toBe('closed');
    circuit.settle(2, false, 20_100);
    expect(circuit.state).toBe('open');
  });
});

test('whatever happens: none but one probe while open, breakPeriod kept, and late answers change nothing', () => {
  const aStep = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('enter' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('settle' as const), pick: fc.nat(), healthy: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 4000 }) }) },
  );
  const seen = { late: 0, probes: 0, recovering: 0, recovered: 0 };
  fc.assert(
    fc.property(fc.array(aStep, { maxLength: 150, size: 'max' }), (steps) => {
      const circuit = new CircuitBreaker(settings, full, 0);
      const look = () => [circuit.state, circuit.reason, circuit.sinceMs, circuit.nextChangeMs];
      const running: { stage: number; entered: unknown; probe: boolean }[] = [];
      let nowMs = 0;
      let noProbeBefore = 0;
      let stage = 0;
      for (const step of steps) {
        const before = circuit.state;
        if (step.kind === 'wait') nowMs += step.ms;
        circuit.advance(nowMs);
        if (before === 'closed' && circuit.state === 'open') noProbeBefore = nowMs + settings.breakPeriodMs;
        const state = circuit.state;
        if (step.kind === 'enter') {
          const answer = circuit.enter(nowMs);
          const probing = running.some((attempt) => attempt.probe && attempt.stage === stage);
          if (state === 'open') {
            expect(answer.kind).toBe(probing || nowMs < noProbeBefore ? 'wait' : 'probe');
          } else expect(answer.kind).not.toBe('probe');
          if (answer.kind === 'wait') continue;
          expect(answer.stage).toBeGreaterThanOrEqual(stage);
          stage = answer.stage;
          if (answer.kind === 'probe') seen.probes += 1;
          running.push({ stage: answer.stage, entered: state, probe: answer.kind === 'probe' });
        } else if (step.kind !== 'wait') {
          const [attempt] = running.splice(step.pick % Math.max(1, running.length), 1);
          if (attempt === undefined) continue;
          // An attempt of another state, or of the same one in an earlier round.
          const wasSent = attempt.entered === 'closed' || attempt.entered === 'recovering';
          const isLate = wasSent
            ? state === 'open' || attempt.stage < stage
            : state !== 'open' || attempt.stage < stage;
          const known = look();
          if (step.kind === 'cancel') circuit.cancel(attempt.stage);
          else circuit.settle(attempt.stage, step.healthy, nowMs);
          if (isLate) {
            seen.late += 1;
            expect(look()).toEqual(known);
          } else if (attempt.probe && step.kind === 'settle') {
            expect(circuit.state).toBe(step.healthy ? 'recovering' : 'open');
            if (!step.healthy) noProbeBefore = nowMs + settings.breakPeriodMs;
          }
          if (state !== 'open' && circuit.state === 'open') noProbeBefore = nowMs + settings.breakPeriodMs;
        }
        if (circuit.state === 'recovering') seen.recovering += 1;
        if (circuit.reason === 'recovered') seen.recovered += 1;
      }
    }),
    { numRuns: 500 },
  );
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(0);
});
