// What the books say at the end, as figures, as a verdict and as text.
import { faultKinds } from './tally.ts';
import type { World } from './world.ts';

export interface ReportParts {
  readonly world: World;
  readonly acts: ReadonlyMap<string, number>;
  readonly skipped: readonly string[];
  readonly lost: readonly string[];
  readonly dead: number;
  readonly left: readonly string[];
  readonly seconds: number;
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly acts: Readonly<Record<string, number>>;
  /** Nemeses that could not come here, and why. */
  readonly skipped: readonly string[];
  readonly accepted: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Calls that got no answer. */
  readonly unknown: number;
  /** Requests at the receivers. */
  readonly arrived: number;
  readonly delivered: number;
  readonly dead: number;
  /** Accepted, not delivered, and not among the dead letters. */
  readonly lost: readonly string[];
  /** Of the backlog that the program tells, once all was delivered: nothing. */
  readonly left: readonly string[];
  /** Second and further deliveries, by bigpipe-redelivery. */
  readonly duplicates: Readonly<Record<string, number>>;
  /** early and late are order violations, overlap two live attempts of a lane, unnamed a repeat without the header. */
  readonly faults: Readonly<Record<string, number>>;
  readonly examples: readonly string[];
  readonly oldestCrashRepeatMs: number;
  readonly longestStallMs: number;
  readonly exitCodes: Readonly<Record<string, number>>;
  /** Of the configuration, by what was done with them. */
  readonly reloads: Readonly<Record<string, number>>;
  readonly log: readonly string[];
}

export function reportOf({ world, acts, skipped, lost, dead, left, seconds }: ReportParts): ChaosReport {
  const { settings, exitCodes, lines } = world;
  const { tally } = world.books;
  const codes: Record<string, number> = {};
  for (const code of exitCodes) codes[code] = (codes[code] ?? 0) + 1;
  return {
    seed: settings.seed,
    seconds,
    acts: Object.fromEntries(acts),
    skipped,
    accepted: tally.accepted,
    refused: Object.fromEntries(tally.refusals),
    unknown: tally.unknown,
    arrived: tally.arrived,
    delivered: tally.delivered,
    dead,
    lost,
    left,
    duplicates: Object.fromEntries(tally.duplicates),
    faults: Object.fromEntries(faultKinds.map((kind) => [kind, tally.count(kind)])),
    examples: tally.examples,
    oldestCrashRepeatMs: Math.round(tally.oldestCrashRepeatMs),
    longestStallMs: Math.round(tally.longestStallMs),
    exitCodes: codes,
    reloads: world.reloads,
    log: lines,
  };
}

/** What breaks a promise; empty for a good run. */
export function brokenPromises(report: ChaosReport): string[] {
  const broken = report.lost.length === 0 ? [] : [`${report.lost.length} lost, first ${report.lost[0]}`];
  if (report.left.length > 0) broken.push(`backlog left: ${report.left.join(', ')}`);
  for (const [kind, count] of Object.entries(report.faults)) if (count > 0) broken.push(`${count} ${kind}`);
  for (const code of Object.keys(report.exitCodes)) {
    if (code !== '0') broken.push(`${report.exitCodes[code]} times SIGTERM ended with ${code}`);
  }
  const { reloads = 0, adjustFailed = 0 } = report.reloads;
  if ((report.acts['config'] ?? 0) > 0 && reloads === 0) broken.push('the files changed and were not read again');
  if (adjustFailed > 0) broken.push(`${adjustFailed} times a module could not adjust`);
  const { unnamed = 0 } = report.duplicates;
  if (unnamed > 0) broken.push(`${unnamed} delivered twice without a word`);
  return broken.length === 0 ? [] : [...broken, ...report.examples];
}

export function textOfReport(report: ChaosReport): string {
  const { log, lost, examples, ...figures } = report;
  const rows = Object.entries(figures).map(
    ([name, value]) => `${name.padEnd(20)} ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  );
  return [
    ...log,
    '',
    ...rows,
    `${'lost'.padEnd(20)} ${lost.length} ${lost.slice(0, 20).join(' ')}`,
    ...examples,
    brokenPromises(report).length === 0 ? 'ALL PROMISES KEPT' : `BROKEN: ${brokenPromises(report).join('; ')}`,
  ].join('\n');
}
