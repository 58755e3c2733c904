// Runs scenarios one after another, each in a lab of its own, and gathers what they measured into a report.
import { availableParallelism } from 'node:os';
import { whyNoKafka } from './bench-kafka.ts';
import type { Figure } from './figures.ts';
import { Lab, type LabOptions } from './lab.ts';
import { machineSeconds, ownCpuSeconds } from './proc.ts';
import type { Report, ScenarioReport } from './report.ts';

export type Scenario = (lab: Lab) => Promise<Figure[]>;
export type Scenarios = Readonly<Record<string, Scenario>>;

export interface RunOptions extends LabOptions {
  /** So much time altogether: what is under way then is ended, and what comes later is skipped. */
  readonly longestMs: number;
}

const onKafka = (name: string) => name.startsWith('kafka-');

export class BenchRun {
  /** Of scenarios that broke. */
  failures = 0;
  private readonly scenarios: Scenarios;
  private readonly options: RunOptions;
  private underWay: Lab | null = null;
  private isOver = false;

  constructor(scenarios: Scenarios, options: RunOptions) {
    this.scenarios = scenarios;
    this.options = options;
  }

  async measure(names: readonly string[]): Promise<Report> {
    const startedMs = performance.now();
    const bound = setTimeout(() => void this.end('it took too long'), this.options.longestMs);
    const reports: ScenarioReport[] = [];
    const skipped: string[] = [];
    const noKafka = names.some(onKafka) ? await whyNoKafka() : null;
    for (const name of names) {
      const why = this.isOver ? 'there is no time left' : onKafka(name) ? noKafka : null;
      if (why !== null) {
        this.options.say(`SKIPPED ${name}: ${why}`);
        skipped.push(name);
        continue;
      }
      try {
        reports.push(await this.one(name));
      } catch (error) {
        // The other scenarios are still worth having.
        this.options.say(`${name} failed: ${error instanceof Error ? error.stack : String(error)}`);
        this.failures += 1;
      }
    }
    clearTimeout(bound);
    return {
      date: new Date().toISOString().slice(0, 10),
      node: process.versions.node,
      processors: availableParallelism(),
      quick: this.options.quick,
      seconds: (performance.now() - startedMs) / 1000,
      scenarios: reports,
      skipped,
    };
  }

  /** Ends what is under way, with everything it has started; nothing begins any more. */
  async end(why: string): Promise<void> {
    this.isOver = true;
    this.options.say(`ended: ${why}`);
    await this.underWay?.close();
  }

  private async one(name: string): Promise<ScenarioReport> {
    this.options.say(`${name} ...`);
    const lab = new Lab(this.options);
    this.underWay = lab;
    const startedMs = performance.now();
    const before = { machine: machineSeconds(), own: ownCpuSeconds() };
    let figures: readonly Figure[];
    try {
      figures = await (this.scenarios[name] as Scenario)(lab);
    } finally {
      await lab.close();
      this.underWay = null;
    }
    const machine = machineSeconds();
    const others = machine.busy - before.machine.busy - (ownCpuSeconds() - before.own);
    const foreignPercent = (Math.max(0, others) * 100) / (machine.all - before.machine.all);
    return { name, seconds: (performance.now() - startedMs) / 1000, foreignPercent, figures };
  }
}
