// Whether a receiver is healthy, against a list of all its answers.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HealthWindow } from '#src/circuit-breaker/health-window.js';

const settings = { windowSeconds: 10, minStats: 5, healthRate: 0.8 };

function filled(answers: string, from = settings): HealthWindow {
  const health = new HealthWindow(from, 0);
  for (const answer of answers) health.record(answer === '+', 0);
  return health;
}

test('fewer than minStats answers say nothing', () => {
  expect(filled('----').fault(0)).toBeNull();
  expect(filled('-----').fault(0)).toBe('0 of 5 attempts of the last 10 s went well, less than 0.8');
});

test('exactly the health rate is healthy', () => {
  expect(filled('++++-').fault(0)).toBeNull();
  expect(filled('+++--').fault(0)).not.toBeNull();
});

test('on probation five failures in a row are enough, or minStats if that is less; a success begins anew', () => {
  const many = { ...settings, minStats: 100 };
  expect(filled('----', many).faultOnProbation(0)).toBeNull();
  expect(filled('-----', many).faultOnProbation(0)).toBe('5 attempts in a row failed while recovering');
  expect(filled('-----', many).fault(0)).toBeNull();
  expect(filled('----+----', many).faultOnProbation(0)).toBeNull();
  expect(filled('+++++++++++-', { ...settings, minStats: 1 }).faultOnProbation(0)).not.toBeNull();
});

test('is what a list of the answers of its window says', () => {
  const aStep = fc.record({ gapMs: fc.integer({ min: 0, max: 4000 }), healthy: fc.boolean() });
  const someSettings = fc.record({
    windowSeconds: fc.integer({ min: 1, max: 20 }),
    minStats: fc.integer({ min: 1, max: 10 }),
    healthRate: fc.double({ min: 0.05, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(someSettings, fc.array(aStep, { maxLength: 60, size: 'max' }), (found, steps) => {
      const health = new HealthWindow(found, 0);
      const all: { second: number; healthy: boolean }[] = [];
      let nowMs = 0;
      for (const { gapMs, healthy } of steps) {
        nowMs += gapMs;
        health.record(healthy, nowMs);
        all.push({ second: Math.floor(nowMs / 1000), healthy });
        const inWindow = all.filter(({ second }) => second > Math.floor(nowMs / 1000) - found.windowSeconds);
        const share = inWindow.filter((answer) => answer.healthy).length / inWindow.length;
        const isFaulty = inWindow.length >= found.minStats && share < found.healthRate;
        expect(health.fault(nowMs) !== null).toBe(isFaulty);
        if (isFaulty) expect(health.faultOnProbation(nowMs)).not.toBeNull();
      }
    }),
  );
});
