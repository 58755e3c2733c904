// Where results of the bench are kept, and how one is read again.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { panelsOf } from './curves.ts';
import { svgOf } from './curves-svg.ts';
import type { Report } from './report.ts';

const results = new URL('../results/', import.meta.url);
/** The short bench that CI holds a change against. */
export const baselineFile = new URL('baseline.json', results);

export const jsonOf = (report: Report) => `${JSON.stringify(report, null, 2)}\n`;

/** `name` null: the whole bench of the day. What takes long may be measured in parts. Curves, where there are any, are drawn beside it. */
export async function keepResult(report: Report, name: string | null): Promise<void> {
  await mkdir(results, { recursive: true });
  const file = name === null ? report.date : `${name}-${report.date}`;
  const place = new URL(`${file}.json`, results);
  const all = name === null || !existsSync(place) ? report : inPlaceOf(await readResult(place), report);
  await writeFile(place, jsonOf(all));
  await drawCurves(all, new URL(`${file}.svg`, results));
}

/** The parts of one scenario of one day as one result: a figure that was measured again takes the place of the earlier one. */
export function inPlaceOf(earlier: Report, report: Report): Report {
  const scenarios = report.scenarios.map((scenario) => {
    const before = earlier.scenarios.find(({ name }) => name === scenario.name);
    if (before === undefined) return scenario;
    const names = new Set(scenario.figures.map(({ name }) => name));
    return {
      ...scenario,
      seconds: before.seconds + scenario.seconds,
      foreignPercent: Math.max(before.foreignPercent, scenario.foreignPercent),
      figures: [...before.figures.filter(({ name }) => !names.has(name)), ...scenario.figures],
    };
  });
  return { ...report, seconds: earlier.seconds + report.seconds, scenarios };
}

/** Nothing where there are no curves. */
export async function drawCurves(report: Report, file: URL | string): Promise<void> {
  const panels = panelsOf(report.scenarios.flatMap(({ figures }) => figures));
  if (panels.length === 0) return;
  const others = Math.max(...report.scenarios.map(({ foreignPercent }) => foreignPercent));
  const title = `${report.date}, ${report.processors} processors, others took ${others.toFixed(0)} %${report.quick ? ', quick' : ''}: against the first point; green: within 15 %`;
  await writeFile(file, svgOf(title, panels));
}

/** Throws, naming the file, when it is not a result of the bench. */
export async function readResult(file: URL | string): Promise<Report> {
  const name = file instanceof URL ? file.pathname : file;
  let read: unknown;
  try {
    read = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  const { scenarios } = (read ?? {}) as { scenarios?: unknown };
  if (!Array.isArray(scenarios) || !scenarios.every(isScenario))
    throw new Error(`${name}: no result of the bench: "scenarios" is to be a list of scenarios with their figures`);
  return read as Report;
}

function isScenario(read: unknown): boolean {
  const { name, figures } = (read ?? {}) as { name?: unknown; figures?: unknown };
  return typeof name === 'string' && Array.isArray(figures) && figures.every(isFigure);
}

function isFigure(read: unknown): boolean {
  const { name, value, unit } = (read ?? {}) as Record<string, unknown>;
  return typeof name === 'string' && typeof unit === 'string' && (typeof value === 'number' || value === null);
}
