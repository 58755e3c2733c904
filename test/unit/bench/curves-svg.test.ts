// The drawing of curves: what is on it, and that no figure makes it invalid.
import { expect, test } from 'vitest';
import { panelsOf } from '../../../bench/support/curves.ts';
import { svgOf } from '../../../bench/support/curves-svg.ts';
import type { Figure } from '../../../bench/support/figures.ts';

function figure(axis: string, line: string, x: number, of: readonly number[]): Figure {
  const value = of[0] as number;
  return { name: `${line} ${x}`, unit: 'x', value, compared: { how: 'ratio', value, of }, at: { axis, line, x } };
}

const figures: Figure[] = [
  figure('keys', 'CPU', 1_000_000, [1.2, 1.1, 1.3]),
  figure('keys', 'CPU', 1, [1]),
  figure('keys', 'rate', 1, [1]),
  figure('bytes <b> & more', 'CPU', 100, [1]),
  { name: 'stands in no curve', unit: 'ms', value: 1 },
];

test('figures with a place become panels, lines and points in order', () => {
  const [keys, bytes] = panelsOf(figures);
  expect(keys?.curves.map(({ line, points }) => [line, points.map(({ x }) => x)])).toEqual([
    ['CPU', [1, 1_000_000]],
    ['rate', [1]],
  ]);
  expect(keys?.curves[0]?.points[1]).toEqual({ x: 1_000_000, ratio: 1.2, low: 1.1, high: 1.3 });
  expect(bytes?.axis).toBe('bytes <b> & more');
});

test('the drawing has every point, names its axes, and is well formed', () => {
  const svg = svgOf('growth', panelsOf(figures));
  expect(svg.match(/<circle/g)).toHaveLength(4);
  expect(svg).toContain('bytes &lt;b&gt; &amp; more');
  expect(svg).toContain('1,000,000');
  const open = [...svg.matchAll(/<(svg|g|text)\b/g)].length;
  expect([...svg.matchAll(/<\/(svg|g|text)>/g)]).toHaveLength(open);
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
});

test('a higher ratio stands higher, and the highest inside its panel', () => {
  const svg = svgOf('wild', panelsOf([figure('keys', 'CPU', 1, [1]), figure('keys', 'CPU', 10, [400])]));
  const [first, wild] = [...svg.matchAll(/<circle cx="[\d.]+" cy="([\d.]+)"/g)].map(([, y]) => Number(y));
  expect(wild).toBeLessThan(first as number);
  expect(wild).toBeGreaterThanOrEqual(0);
});

test('one panel of one point can be drawn', () => {
  expect(svgOf('one', panelsOf([figure('keys', 'CPU', 1, [1])]))).not.toMatch(/NaN|Infinity/);
});
