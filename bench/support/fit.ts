// Fits a cost of a + b * bytes to measured points, so that each of them weighs the same whatever its size.

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Line {
  readonly a: number;
  readonly b: number;
  /** Of each point: measured / fitted - 1. */
  readonly residuals: readonly number[];
}

/**
 * Least squares of the relative errors: with points over four powers of ten the absolute ones would only see the largest.
 * Throws when there are fewer than two different x, or a y that is not above 0.
 */
export function fitLine(points: readonly Point[]): Line {
  if (new Set(points.map(({ x }) => x)).size < 2) throw new Error('a line needs points at two places');
  const wrong = points.find(({ x, y }) => !Number.isFinite(x) || !(y > 0) || !Number.isFinite(y));
  if (wrong !== undefined) throw new Error(`a cost must be above 0: ${wrong.y} at ${wrong.x}`);
  // Minimises the sum of (a / y + b * x / y - 1)^2.
  const sums = { aa: 0, ab: 0, bb: 0, a: 0, b: 0 };
  for (const { x, y } of points) {
    const [u, v] = [1 / y, x / y];
    sums.aa += u * u;
    sums.ab += u * v;
    sums.bb += v * v;
    sums.a += u;
    sums.b += v;
  }
  const divisor = sums.aa * sums.bb - sums.ab * sums.ab;
  const a = (sums.a * sums.bb - sums.b * sums.ab) / divisor;
  const b = (sums.b * sums.aa - sums.a * sums.ab) / divisor;
  return { a, b, residuals: points.map(({ x, y }) => y / (a + b * x) - 1) };
}
