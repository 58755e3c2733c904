// What has changed between two results of the bench, beyond what their own windows scatter.
import { type Figure, median } from './figures.ts';
import type { Report } from './report.ts';

/** Of figures that were measured in windows: below it nobody would notice. */
const leastShare = 0.05;
/** A figure of one window knows nothing of its scatter: only what is far off is called a change. */
const leastShareOfOne = 0.3;
/** With so many windows the lowest and the highest are left out of their range: one of each is often the machine. */
const trimmedFrom = 5;

export type Verdict = 'better' | 'worse' | 'changed' | 'within the noise';

/** What of a figure is compared: against its reference where there is one, so that the machine falls out. */
export interface Reading {
  readonly value: number;
  /** Lowest and highest of its windows; null: there was one. */
  readonly range: readonly [low: number, high: number] | null;
}

export interface Change {
  readonly scenario: string;
  readonly name: string;
  readonly unit: string;
  /** Whether both values are ratios to a reference, differences from it, or figures of their own. */
  readonly basis: 'ratio' | 'above' | 'value';
  readonly old: Reading;
  readonly new: Reading;
  /** New / old - 1; null where old is 0. */
  readonly share: number | null;
  readonly verdict: Verdict;
}

export interface Comparison {
  /** Why the two may not be comparable: other processors, another Node, a quick run. */
  readonly warnings: readonly string[];
  readonly changes: readonly Change[];
  readonly onlyOld: readonly string[];
  readonly onlyNew: readonly string[];
}

type Named = Map<string, { scenario: string; figure: Figure }>;

export function compareReports(old: Report, now: Report): Comparison {
  const [before, after] = [named(old), named(now)];
  const changes: Change[] = [];
  for (const [key, { scenario, figure }] of after) {
    const was = before.get(key)?.figure;
    if (was !== undefined) changes.push(changeOf(scenario, was, figure));
  }
  return {
    warnings: warningsOf(old, now),
    changes,
    onlyOld: [...before.keys()].filter((key) => !after.has(key)),
    onlyNew: [...after.keys()].filter((key) => !before.has(key)),
  };
}

function named({ scenarios }: Report): Named {
  const all: Named = new Map();
  for (const { name, figures } of scenarios)
    for (const figure of figures) all.set(`${name}: ${figure.name}`, { scenario: name, figure });
  return all;
}

function changeOf(scenario: string, was: Figure, is: Figure): Change {
  const basis = was.compared !== undefined && was.compared.how === is.compared?.how ? was.compared.how : 'value';
  const [before, after] = [readingOf(was, basis), readingOf(is, basis)];
  const share = before.value === 0 ? null : after.value / before.value - 1;
  const { name, unit } = is;
  const isMore = after.value > before.value;
  const sense = senseOf(is);
  let verdict: Verdict = 'within the noise';
  if (isApart(before, after)) {
    if (sense === null) verdict = 'changed';
    else verdict = isMore === (sense === 'at least') ? 'better' : 'worse';
  }
  return { scenario, name, unit, basis, old: before, new: after, share, verdict };
}

function readingOf({ value, compared }: Figure, basis: Change['basis']): Reading {
  if (basis === 'value' || compared === undefined) return { value, range: null };
  const sorted = compared.of.toSorted((a, b) => a - b);
  const kept = sorted.length >= trimmedFrom ? sorted.slice(1, -1) : sorted;
  const range = kept.length < 2 ? null : ([kept[0], kept.at(-1)] as [number, number]);
  return { value: median(compared.of), range };
}

/** Each lies outside of where the other's windows were, and not only by a hair. */
function isApart(a: Reading, b: Reading): boolean {
  const scale = Math.max(Math.abs(a.value), Math.abs(b.value));
  const least = a.range === null || b.range === null ? leastShareOfOne : leastShare;
  if (!(Math.abs(a.value - b.value) > least * scale)) return false;
  return isOutside(a.value, b.range) && isOutside(b.value, a.range);
}

const isOutside = (value: number, range: Reading['range']) => range === null || value < range[0] || value > range[1];

const moreIsBetter = ['/s'];
const lessIsBetter = ['ms', 'MB', 's/100k', 'B', 'ns', '%', 's'];

/** What a figure should be: as its goal says, else by what it counts; null where nothing says so. */
function senseOf({ goal, unit }: Figure): 'at least' | 'at most' | null {
  if (goal !== undefined) return goal.sense;
  if (moreIsBetter.includes(unit)) return 'at least';
  return lessIsBetter.includes(unit) ? 'at most' : null;
}

function warningsOf(old: Report, now: Report): string[] {
  const differ = (what: 'node' | 'processors' | 'quick') =>
    old[what] === now[what] ? [] : [`${what} was ${old[what]} and is ${now[what]}`];
  const busy = ([when, { scenarios }]: readonly [string, Report]) => {
    const most = Math.max(0, ...scenarios.map(({ foreignPercent }) => foreignPercent));
    return most < busyPercent ? [] : [`others took up to ${most.toFixed(0)} % of the processors in the ${when} run`];
  };
  return [...differ('node'), ...differ('processors'), ...differ('quick'), ...busy(['old', old]), ...busy(['new', now])];
}

/** From here on only ratios can be trusted. */
const busyPercent = 20;
