// What the process measures: families that are bumped as things happen, and families that are read when somebody asks.
import type { Steps } from '../../message/steps.js';
import { Counted, Counter, type CounterFamily, type Figures, type HistogramFamily, valuesOf } from './counted.js';
import { Histogram } from './histogram.js';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Figures;
}

/** Everybody's sections, as /stats shows them. */
export type Sections = Readonly<Record<string, object>>;

/** Adds a sample to a family, label values in the order of its labels. */
export type AddSample = (family: string, value: Figures, ...labels: readonly string[]) => void;

export interface Shape {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Bounded: topics, groups and destinations by their configured names, never a URL, a key or an id. */
  readonly labels: readonly string[];
}

/** Families that are read together when somebody asks; of what several processes count, `sections` holds the sum. */
export interface ReadFamilies {
  readonly shapes: readonly Shape[];
  readonly read: (add: AddSample, sections: Sections, steps: Steps) => void | Promise<void>;
}

export interface Family extends Shape {
  readonly samples: readonly Sample[];
}

/** Of each counted family its cells by label values. */
type CountedFigures = Record<string, Record<string, Figures>>;

/** Under which name what is counted stands among the sections. */
export const metricsSection = 'metrics';

export class Metrics {
  private readonly counted = new Map<string, Counted<Counter | Histogram>>();
  private readonly read: ReadFamilies[] = [];
  private readonly names = new Set<string>();

  /** A name may be taken once; a second module that wants it is a programming error. */
  counter(name: string, help: string, labels: readonly string[] = []): CounterFamily {
    return this.add(new Counted(name, help, 'counter', labels, () => new Counter()));
  }

  /** Of seconds. */
  histogram(name: string, help: string, labels: readonly string[] = []): HistogramFamily {
    return this.add(new Counted(name, help, 'histogram', labels, () => new Histogram()));
  }

  register(families: ReadFamilies): void {
    for (const { name } of families.shapes) this.take(name);
    this.read.push(families);
  }

  /** What this process has counted, in a form that can be added up over processes. */
  async snapshot(steps: Steps): Promise<CountedFigures> {
    const all: CountedFigures = {};
    for await (const [name, { figures }] of steps.through(this.counted)) all[name] = figures;
    return all;
  }

  /** All families in the order of their names. `sections` holds what all processes have counted. */
  async families(sections: Sections, steps: Steps): Promise<Family[]> {
    const figures = (sections[metricsSection] ?? {}) as CountedFigures;
    const all: Family[] = [];
    for await (const family of steps.through(this.counted.values()))
      all.push(await withSamples(family, figures, steps));
    for await (const families of steps.through(this.read)) all.push(...(await readNow(families, sections, steps)));
    return all.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private add<Cell extends Counter | Histogram>(family: Counted<Cell>): Counted<Cell> {
    this.take(family.name);
    this.counted.set(family.name, family);
    return family;
  }

  private take(name: string): void {
    if (this.names.has(name)) throw new Error(`the metric ${name} is registered twice`);
    this.names.add(name);
  }
}

async function withSamples(
  { name, help, type, labels }: Counted<Counter | Histogram>,
  figures: CountedFigures,
  steps: Steps,
): Promise<Family> {
  const samples: Sample[] = [];
  for await (const [key, value] of steps.through(Object.entries(figures[name] ?? {})))
    samples.push({ labels: labelled(labels, valuesOf(key)), value });
  return { name, help, type, labels, samples };
}

async function readNow({ shapes, read }: ReadFamilies, sections: Sections, steps: Steps): Promise<Family[]> {
  const families = new Map(shapes.map((shape) => [shape.name, { ...shape, samples: [] as Sample[] }]));
  await read(
    (name, value, ...values) => {
      const family = families.get(name);
      if (family === undefined) throw new Error(`the metric ${name} is not registered here`);
      family.samples.push({ labels: labelled(family.labels, values), value });
    },
    sections,
    steps,
  );
  return [...families.values()];
}

const labelled = (labels: readonly string[], values: readonly string[]) =>
  Object.fromEntries(labels.map((label, i) => [label, values[i] ?? '']));
