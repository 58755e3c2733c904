// A chaos run that a test can afford: a few acts, the usual topics.
import { seedOfRun } from '../seeded.ts';
import { ChaosRun, type RunSettings } from './chaos-run.ts';
import { nemeses } from './nemeses.ts';
import { type ChaosReport, textOfReport } from './report.ts';
import { usualTopics } from './topics.ts';

export interface ShortRun extends Partial<RunSettings> {
  /** Of all nemeses, those that come; the order does not matter. */
  readonly only: readonly string[];
}

/** Prints the seed first, and all that was done at the end. */
export async function shortRun({ only, ...changes }: ShortRun): Promise<ChaosReport> {
  const seed = seedOfRun();
  console.log(`SEED=${seed}`);
  const run = new ChaosRun({
    seed,
    topics: usualTopics,
    receivers: 3,
    bodyBytes: 200,
    answerMs: 10,
    load: { callers: 12, keysOfCaller: 6, maxOpen: 10_000, perSecond: 1000 },
    nemeses: Object.fromEntries(Object.entries(nemeses).filter(([name]) => only.includes(name))),
    mostAnswers: 500,
    acts: 12,
    // A slow machine gets fewer acts, not more time.
    minutes: 1,
    patienceMs: 40_000,
    redriveAtEnd: true,
    config: { 'broker.embedded.retention.ms': 5000 },
    ...changes,
  });
  const report = await run.run();
  console.log(textOfReport(report));
  for (const reason of report.skipped) process.stderr.write(`a nemesis is skipped: ${reason}\n`);
  return report;
}
