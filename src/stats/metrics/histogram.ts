// Counts durations by how long they were; an observation is a few comparisons and two additions.

/** Upper bounds in seconds, from 1 ms to 100 s; what takes longer stands under +Inf. */
export const boundsS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100] as const;

const overflow = '+Inf';
const names: readonly string[] = [...boundsS.map(String), overflow];

/** As it travels between processes: under each bound what is above the bound before, and the sum of all seconds. */
export type HistogramFigures = Readonly<Record<string, number>>;

export class Histogram {
  private readonly counts: number[] = names.map(() => 0);
  private sum = 0;

  observe(seconds: number): void {
    let i = 0;
    while (i < boundsS.length && seconds > (boundsS[i] as number)) i += 1;
    (this.counts[i] as number) += 1;
    this.sum += seconds;
  }

  get figures(): HistogramFigures {
    const figures: Record<string, number> = { sum: this.sum };
    for (const [i, name] of names.entries()) figures[name] = this.counts[i] as number;
    return figures;
  }
}

/** As Prometheus wants it: each bound with all that is not above it. */
export function cumulated(figures: HistogramFigures): { le: string; count: number }[] {
  let count = 0;
  return names.map((le) => {
    count += figures[le] ?? 0;
    return { le, count };
  });
}
