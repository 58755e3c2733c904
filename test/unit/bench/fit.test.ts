// The line through measured costs: what it finds, what is left over, what it refuses.
import { expect, test } from 'vitest';
import { fitLine } from '../../../bench/support/fit.ts';

const sizes = [100, 1000, 10_000, 100_000, 1_000_000];

test('a cost that is a + b * bytes is found again, with nothing left over', () => {
  const { a, b, residuals } = fitLine(sizes.map((x) => ({ x, y: 12 + 0.0003 * x })));
  expect(a).toBeCloseTo(12, 6);
  expect(b).toBeCloseTo(0.0003, 9);
  for (const residual of residuals) expect(residual).toBeCloseTo(0, 6);
});

test('small points weigh as much as large ones', () => {
  // The largest is a tenth off: least squares of the absolute errors would put all of the error on the small ones.
  const { residuals } = fitLine(sizes.map((x) => ({ x, y: (12 + 0.0003 * x) * (x === 1_000_000 ? 1.1 : 1) })));
  expect(Math.max(...residuals.map(Math.abs))).toBeLessThan(0.08);
});

test('what is no line is told by its residuals', () => {
  const { residuals } = fitLine([
    { x: 1, y: 10 },
    { x: 10, y: 20 },
    { x: 100, y: 10 },
  ]);
  expect(residuals[1]).toBeGreaterThan(0.3);
});

test.each([
  ['one place', [5, 5].map((x) => ({ x, y: 1 }))],
  ['no point', []],
  ['a cost of nothing', [1, 2].map((x) => ({ x, y: 0 }))],
  ['what is no number', [1, 2].map((x) => ({ x, y: Number.NaN }))],
])('%s is refused', (_, points) => {
  expect(() => fitLine(points)).toThrow(/a line needs points|a cost must be above 0/);
});
