// Turns a run's figures into a table for people.
import { type Figure, type Goal, verdictOf } from './figures.ts';

export interface ScenarioReport {
  readonly name: string;
  readonly seconds: number;
  /** Processor time of others during the scenario, in percent of all processors: above a few, trust ratios only. */
  readonly foreignPercent: number;
  readonly figures: readonly Figure[];
}

export interface Report {
  readonly date: string;
  readonly node: string;
  readonly processors: number;
  readonly quick: boolean;
  readonly seconds: number;
  readonly scenarios: readonly ScenarioReport[];
  /** Those that need what is not there. */
  readonly skipped: readonly string[];
}

const header = ['figure', 'bigpipe', 'its limit, same run', 'limit', 'compared', 'goal', 'aim', ''];

export function tableOf({ date, node, processors, quick, seconds, scenarios, skipped }: Report): string {
  const rows = scenarios.flatMap(({ figures }) => figures.map(rowOf));
  const foreign = scenarios.map((s) => `${s.name} ${s.foreignPercent.toFixed(0)} %`).join(', ');
  return [
    `bigpipe, ${date}, node ${node}, ${processors} processors, ${seconds.toFixed(0)} s${quick ? ', quick' : ''}`,
    '',
    ...aligned(header, rows),
    '',
    `Processor time of others: ${foreign === '' ? 'unknown' : foreign}.`,
    ...(skipped.length === 0 ? [] : [`Skipped: ${skipped.join(', ')}.`]),
  ].join('\n');
}

function rowOf(figure: Figure): string[] {
  const { name, value, unit, reference, compared, goal } = figure;
  return [
    name,
    `${shown(value)} ${unit}`,
    reference?.name ?? '',
    reference === undefined ? '' : `${shown(reference.value)} ${unit}`,
    compared === undefined ? '' : comparedText(compared, unit),
    goal === undefined ? '' : boundText(goal.sense, goal.now),
    goal === undefined ? '' : boundText(goal.sense, goal.aim),
    verdictOf(figure) ?? '',
  ];
}

function comparedText({ how, value, of }: NonNullable<Figure['compared']>, unit: string): string {
  const digits = (part: number) => part.toFixed(2);
  const range = `(${digits(Math.min(...of))} to ${digits(Math.max(...of))})`;
  if (how === 'ratio') return `${digits(value)} x ${range}`;
  return `${value < 0 ? '' : '+'}${digits(value)} ${unit} ${range}`;
}

function boundText(sense: Goal['sense'], bound: number): string {
  return `${sense === 'at least' ? '>=' : '<='} ${bound.toLocaleString('en')}`;
}

export function shown(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** As a Markdown table, so that it can be quoted as it is. */
export function aligned(head: readonly string[], rows: readonly string[][]): string[] {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => (row[column] as string).length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i] as number)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)];
}
