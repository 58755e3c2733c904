// Curves of how a figure grows, gathered from the figures that have a place in one.
import type { Figure } from './figures.ts';

export interface CurvePoint {
  readonly x: number;
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

export interface Curve {
  /** What is told of it: CPU a message, messages a second. */
  readonly line: string;
  readonly points: readonly CurvePoint[];
}

/** The curves over one axis, which are drawn into one panel. */
export interface Panel {
  /** What grows. */
  readonly axis: string;
  readonly curves: readonly Curve[];
}

export function panelsOf(figures: readonly Figure[]): Panel[] {
  const panels = new Map<string, Map<string, CurvePoint[]>>();
  for (const { at, compared } of figures) {
    if (at === undefined || compared === undefined) continue;
    const lines = panels.get(at.axis) ?? new Map<string, CurvePoint[]>();
    panels.set(at.axis, lines);
    const points = lines.get(at.line) ?? [];
    lines.set(at.line, points);
    points.push({ x: at.x, ratio: compared.value, low: Math.min(...compared.of), high: Math.max(...compared.of) });
  }
  return [...panels].map(([axis, lines]) => ({
    axis,
    curves: [...lines].map(([line, points]) => ({ line, points: points.toSorted((a, b) => a.x - b.x) })),
  }));
}
