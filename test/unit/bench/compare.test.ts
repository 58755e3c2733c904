// Two results of the bench: what counts as a change, and what is only scatter.
import { expect, test } from 'vitest';
import { compareReports } from '../../../bench/support/compare.ts';
import { comparisonText } from '../../../bench/support/comparison-text.ts';
import { comparedFigure, type Figure } from '../../../bench/support/figures.ts';
import type { Report } from '../../../bench/support/report.ts';

function report(figures: readonly Figure[], over: Partial<Report> = {}): Report {
  const scenarios = [{ name: 'one', seconds: 1, foreignPercent: 0, figures }];
  return { date: '2026-11-30', node: '24', processors: 2, quick: false, seconds: 1, scenarios, skipped: [], ...over };
}

function ratios(of: readonly number[], unit = '/s'): Figure {
  const pairs = of.map((ratio) => ({ ours: ratio * 1000, limit: 1000 }));
  return comparedFigure({ name: 'rate', unit, reference: 'bare', how: 'ratio' }, pairs);
}

const verdict = (old: Figure, now: Figure) => compareReports(report([old]), report([now])).changes[0]?.verdict;

test('a ratio that left the windows of before is better or worse, as its unit says', () => {
  expect(verdict(ratios([0.5, 0.51, 0.52]), ratios([0.7, 0.71, 0.72]))).toBe('better');
  expect(verdict(ratios([0.7, 0.71, 0.72]), ratios([0.5, 0.51, 0.52]))).toBe('worse');
  expect(verdict(ratios([2, 2.1, 2.2], 's/100k'), ratios([1, 1.1, 1.2], 's/100k'))).toBe('better');
  expect(verdict(ratios([1, 1.1, 1.2], 'B a B'), ratios([2, 2.1, 2.2], 'B a B'))).toBe('changed');
});

test('what lies where the other run was, too, is noise', () => {
  expect(verdict(ratios([0.3, 0.5, 0.8]), ratios([0.6, 0.7, 0.75]))).toBe('within the noise');
  expect(verdict(ratios([0.6, 0.7, 0.75]), ratios([0.3, 0.5, 0.8]))).toBe('within the noise');
});

test('less than a twentieth is no change, however steady both runs were', () => {
  expect(verdict(ratios([0.5, 0.5, 0.5]), ratios([0.52, 0.52, 0.52]))).toBe('within the noise');
});

test('one wild window of many hides nothing', () => {
  expect(verdict(ratios([0.5, 0.51, 0.52, 0.53, 0.9]), ratios([0.7, 0.71, 0.72, 0.73, 0.2]))).toBe('better');
});

test('the machine falls out: ratios are compared, not what was measured', () => {
  const slow = comparedFigure({ name: 'rate', unit: '/s', reference: 'bare', how: 'ratio' }, [
    { ours: 50, limit: 100 },
    { ours: 51, limit: 100 },
  ]);
  expect(verdict(ratios([0.5, 0.51]), slow)).toBe('within the noise');
});

test('a goal says what is better where the unit does not', () => {
  const goal = { sense: 'at most', now: 1, aim: 1 } as const;
  const of = (value: number): Figure => ({ name: 'faults', unit: '', value, goal });
  expect(verdict(of(1), of(2))).toBe('worse');
});

test('a figure of one window changes only when it is far off', () => {
  const of = (value: number): Figure => ({ name: 'RSS', unit: 'MB', value });
  expect(verdict(of(100), of(120))).toBe('within the noise');
  expect(verdict(of(100), of(160))).toBe('worse');
  expect(verdict(of(0), of(0))).toBe('within the noise');
});

test('what only one of them has is named, and what makes them incomparable', () => {
  const old = report([{ name: 'gone', unit: 'ms', value: 1 }]);
  const now = report([{ name: 'new', unit: 'ms', value: 1 }], { processors: 8, quick: true });
  const comparison = compareReports(old, now);
  expect(comparison).toMatchObject({ onlyOld: ['one: gone'], onlyNew: ['one: new'] });
  expect(comparison.warnings).toEqual(['processors was 2 and is 8', 'quick was false and is true']);
  expect(comparisonText(comparison)).toContain('The two have no figure in common.');
});

test('a busy machine is told', () => {
  const [quiet] = report([]).scenarios;
  const busy = report([], { scenarios: [{ ...quiet, foreignPercent: 60 } as Report['scenarios'][number]] });
  expect(compareReports(report([]), busy).warnings).toEqual([
    'others took up to 60 % of the processors in the new run',
  ]);
});

test('the table tells both, their ranges, the change and the verdict', () => {
  const text = comparisonText(compareReports(report([ratios([0.5, 0.52])]), report([ratios([0.7, 0.72])])));
  expect(text).toMatch(
    /rate, against its limit \| 0\.51 x \(0\.50 to 0\.52\) \| 0\.71 x \(0\.70 to 0\.72\) \| \+39 % +\| better/,
  );
  expect(text).toContain('1 of 1 figures changed');
});
