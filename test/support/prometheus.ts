// A real Prometheus that scrapes a bigpipe, from the program of the machine.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../kafka/local-cluster.ts';
import { until } from './until.js';

/** Says aloud what is not tested without it. */
export const hasPrometheus = spawnSync('prometheus', ['--version']).status === 0;
if (!hasPrometheus) console.log('SKIPPED: prometheus is not there, what it scrapes is not tested');

interface Answer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
}

export class Prometheus {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    private readonly port: number,
  ) {}

  /** Scrapes `host:port` once a second. */
  static async start(target: string): Promise<Prometheus> {
    const directory = await mkdtemp(join(tmpdir(), 'prometheus-'));
    const file = join(directory, 'prometheus.yml');
    const jobs = [{ job_name: 'bigpipe', static_configs: [{ targets: [target] }] }];
    // JSON is YAML.
    await writeFile(file, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: jobs }));
    const port = (await freePorts(1))[0] as number;
    const args = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`];
    const child = spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' });
    return new Prometheus(child, directory, port);
  }

  /** The first answer to the query that has a value, as a number. */
  valueOf(query: string): Promise<number> {
    return until(`Prometheus answers ${query}`, () => this.ask(query), 60_000);
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
    await rm(this.directory, { recursive: true, force: true });
  }

  private async ask(query: string): Promise<number | null> {
    const url = `http://127.0.0.1:${this.port}/api/v1/query?query=${encodeURIComponent(query)}`;
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok !== true) return null;
    const { data } = (await answer.json()) as Answer;
    const value = data.result[0]?.value[1];
    return value === undefined ? null : Number(value);
  }
}
