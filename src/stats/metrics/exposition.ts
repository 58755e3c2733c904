// The page /metrics in Prometheus' text form; the only file that knows prom-client.
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client';
import type { Figures } from './counted.js';
import { cumulated, type HistogramFigures } from './histogram.js';
import type { Family, Metrics, Sample, Sections } from './metrics.js';

/** Gauges whose names Prometheus' own check finds wrong; each has a sibling that tells more. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

interface Line {
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string>>;
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

  async text(sections: Sections): Promise<string> {
    const page = new Registry();
    for (const family of await this.metrics.families(sections))
      page.registerMetric(shownBy(family) as unknown as Metric);
    return `${await page.metrics()}\n${await this.process.metrics()}`;
  }
}

/** What the registry asks of a metric: it needs no more of one that is read once. */
function shownBy({ name, help, type, samples }: Family): object {
  const values = samples.flatMap((sample) => linesOf(name, sample));
  return { name, help, type, get: async () => ({ name, help, type, values, aggregator: 'sum' }) };
}

function linesOf(name: string, { labels, value }: Sample): Line[] {
  return isHistogram(value) ? histogramLines(name, labels, value) : [{ labels, value }];
}

const isHistogram = (value: Figures): value is HistogramFigures => typeof value === 'object';

function histogramLines(name: string, labels: Line['labels'], figures: HistogramFigures): Line[] {
  const buckets = cumulated(figures);
  const total = buckets.at(-1)?.count ?? 0;
  return [
    ...buckets.map(({ le, count }) => ({ metricName: `${name}_bucket`, labels: { ...labels, le }, value: count })),
    { metricName: `${name}_sum`, labels, value: figures['sum'] ?? 0 },
    { metricName: `${name}_count`, labels, value: total },
  ];
}
