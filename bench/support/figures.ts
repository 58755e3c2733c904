// The figures that the bench reports, and the goals they are held against.

/** As a ratio to the reference when there is one, else as a value. */
export interface Goal {
  readonly sense: 'at least' | 'at most';
  /** To be reached with the first version of the bench. */
  readonly now: number;
  readonly aim: number;
}

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, measured in turns with it. */
  readonly reference?: { readonly name: string; readonly value: number };
  /** Median of the windows' own ratios, or of their differences. */
  readonly compared?: { readonly how: 'ratio' | 'above'; readonly value: number; readonly of: readonly number[] };
  readonly goal?: Goal;
  /** Its place in a curve: which line over which axis, and how far along it. */
  readonly at?: { readonly axis: string; readonly line: string; readonly x: number };
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

interface Pair {
  readonly ours: number;
  readonly limit: number;
}

/** A figure whose windows alternated with its reference's; the medians of both, and of what lies between them. */
export function comparedFigure(
  what: { name: string; unit: string; reference: string; how: 'ratio' | 'above'; goal?: Goal },
  pairs: readonly Pair[],
): Figure {
  const { name, unit, reference, how, goal } = what;
  const of = pairs.map(({ ours, limit }) => (how === 'ratio' ? ours / limit : ours - limit));
  return {
    name,
    unit,
    value: median(pairs.map(({ ours }) => ours)),
    reference: { name: reference, value: median(pairs.map(({ limit }) => limit)) },
    compared: { how, value: median(of), of },
    ...(goal === undefined ? {} : { goal }),
  };
}

/** Null without a goal. */
export function verdictOf({ value, compared, goal }: Figure): 'missed' | 'reached' | 'aim reached' | null {
  if (goal === undefined) return null;
  const measured = compared?.value ?? value;
  const holds = (bound: number) => (goal.sense === 'at least' ? measured >= bound : measured <= bound);
  if (holds(goal.aim)) return 'aim reached';
  return holds(goal.now) ? 'reached' : 'missed';
}
