// Families of counters and histograms that the hot path bumps: a cell is looked up once and kept by whoever counts.
import { Histogram, type HistogramFigures } from './histogram.js';

/** One number that only grows. */
export class Counter {
  value = 0;

  get figures(): number {
    return this.value;
  }
}

export type Figures = number | HistogramFigures;

/** Label values as one text, and back. */
export const keyOf = (values: readonly string[]): string => JSON.stringify(values);
export const valuesOf = (key: string): readonly string[] => JSON.parse(key) as readonly string[];

/** Of one family, whatever names its labels take. What comes past it is counted together. */
const maxSeries = 10_000;
const other = 'other';

export class Counted<Cell extends { readonly figures: Figures }> {
  private readonly cells = new Map<string, Cell>();

  constructor(
    readonly name: string,
    readonly help: string,
    readonly type: 'counter' | 'histogram',
    readonly labels: readonly string[],
    private readonly newCell: () => Cell,
  ) {}

  /** The cell of these label values, in the order of the labels. Keep it: finding it costs more than counting. */
  of(...values: readonly string[]): Cell {
    const key = keyOf(values);
    const known = this.cells.get(key);
    if (known !== undefined) return known;
    const isFull = this.cells.size >= maxSeries;
    const place = isFull ? keyOf(values.map(() => other)) : key;
    const cell = this.cells.get(place) ?? this.newCell();
    this.cells.set(place, cell);
    return cell;
  }

  /** Of what is gone nothing is told any more: the cells whose first labels have these values. */
  forget(...values: readonly string[]): void {
    for (const key of this.cells.keys()) {
      const own = valuesOf(key);
      if (values.every((value, i) => own[i] === value)) this.cells.delete(key);
    }
  }

  /** By label values. */
  get figures(): Record<string, Figures> {
    return Object.fromEntries([...this.cells].map(([key, cell]) => [key, cell.figures]));
  }
}

export type CounterFamily = Counted<Counter>;
export type HistogramFamily = Counted<Histogram>;
