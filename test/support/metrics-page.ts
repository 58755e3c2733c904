// GET /metrics as Prometheus reads it: its own parser where it is installed, and the samples for whoever wants to know them.
import { spawnSync } from 'node:child_process';
import type { BigpipeProcess } from './bigpipe-process.js';
import { until } from './until.js';

/** Says aloud what is not tested without it. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool) console.log('SKIPPED: promtool is not there, what Prometheus says of /metrics is not tested');

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class MetricsPage {
  readonly samples: readonly Sample[];

  constructor(readonly text: string) {
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(sampleOf);
  }

  static async of(bigpipe: BigpipeProcess): Promise<MetricsPage> {
    return new MetricsPage(await (await fetch(`${bigpipe.management}/metrics`)).text());
  }

  /** The sum over all series that have these labels. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.series(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  series(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  /** What `promtool check metrics` finds wrong; empty when it finds nothing. */
  faults(): string {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: this.text,
      encoding: 'utf8',
    });
    return status === 0 ? '' : `${status}: ${stdout}${stderr}`;
  }
}

/** The first page of which `holds` is true. */
export function untilMetrics(
  bigpipe: BigpipeProcess,
  what: string,
  holds: (page: MetricsPage) => boolean,
  boundMs = 30_000,
): Promise<MetricsPage> {
  const look = async () => {
    const page = await MetricsPage.of(bigpipe);
    return holds(page) && page;
  };
  return until(what, look, boundMs);
}

function sampleOf(line: string): Sample {
  const [, name = '', labels = '', value = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === '') throw new Error(`no sample: ${line}`);
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text]);
  return { name, labels: Object.fromEntries(pairs), value: numberOf(value) };
}

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  return text === 'Nan' ? Number.NaN : Number(text);
}
