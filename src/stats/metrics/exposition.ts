// The page /metrics in Prometheus' text form; the only file that knows prom-client.
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { Steps } from '../../message/steps.js';
import type { Figures } from './counted.js';
import { cumulated, type HistogramFigures } from './histogram.js';
import type { Family, Metrics, Sample, Sections } from './metrics.js';

/** Gauges whose names Prometheus' own check finds wrong; each has a sibling that tells more. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

interface Line {
  readonly metricName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Those that many lines have: written once for all of them. */
  readonly sharedLabels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Exposition {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  /** Memory, CPU, garbage collection and the delay of the event loop, of this process. */
  private readonly process = new Registry();

  constructor(private readonly metrics: Metrics) {
    collectDefaultMetrics({ register: this.process });
    for (const name of misnamed) this.process.removeSingleMetric(name);
  }

  /** Resolves once everything is read; the text is made in steps while it is sent. */
  async page(sections: Sections, steps: Steps): Promise<AsyncIterable<string>> {
    return this.parts(await this.metrics.families(sections, steps), await this.process.metrics(), steps);
  }

  private async *parts(families: readonly Family[], ofProcess: string, steps: Steps): AsyncGenerator<string, void> {
    for (const family of families) {
      const head = await written(family, []);
      yield head;
      for await (const samples of steps.through(slicesOf(family.samples))) {
        const lines = samples.flatMap((sample) => linesOf(family.name, sample));
        yield (await written(family, lines)).slice(head.length);
      }
      yield '\n';
    }
    yield ofProcess;
  }
}

/** So many samples are written at a time: of a histogram two milliseconds of work. */
const sliceLength = 32;

function* slicesOf(samples: readonly Sample[]): Generator<readonly Sample[], void> {
  for (let at = 0; at < samples.length; at += sliceLength) yield samples.slice(at, at + sliceLength);
}

/** Head and lines. A registry asks no more of a metric than this. */
async function written({ name, help, type }: Family, values: readonly Line[]): Promise<string> {
  const registry = new Registry();
  const shown = { name, help, type, get: async () => ({ name, help, type, values, aggregator: 'sum' }) };
  registry.registerMetric(shown as unknown as Metric);
  return registry.metrics();
}

function linesOf(name: string, { labels, value }: Sample): Line[] {
  return isHistogram(value) ? histogramLines(name, labels, value) : [{ sharedLabels: labels, value }];
}

const isHistogram = (value: Figures): value is HistogramFigures => typeof value === 'object';

function histogramLines(name: string, sharedLabels: Line['sharedLabels'], figures: HistogramFigures): Line[] {
  const buckets = cumulated(figures);
  const total = buckets.at(-1)?.count ?? 0;
  return [
    ...buckets.map(({ le, count }) => ({ metricName: `${name}_bucket`, labels: { le }, sharedLabels, value: count })),
    { metricName: `${name}_sum`, sharedLabels, value: figures['sum'] ?? 0 },
    { metricName: `${name}_count`, sharedLabels, value: total },
  ];
}
