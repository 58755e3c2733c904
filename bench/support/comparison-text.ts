// A comparison of two results as a table for people.
import type { Change, Comparison, Reading } from './compare.ts';
import { aligned, shown } from './report.ts';

const header = ['figure', 'old', 'new', 'change', ''];
const basisNames = { ratio: ', against its limit', above: ', above its limit', value: '' } as const;

export function comparisonText({ warnings, changes, onlyOld, onlyNew }: Comparison): string {
  const apart = changes.filter(({ verdict }) => verdict !== 'within the noise');
  const sum =
    changes.length === 0
      ? 'The two have no figure in common.'
      : `${apart.length} of ${changes.length} figures changed beyond their windows' scatter.`;
  return [
    ...aligned(header, changes.map(rowOf)),
    '',
    sum,
    ...warnings.map((warning) => `Beware: ${warning}.`),
    ...(onlyOld.length === 0 ? [] : [`Only in the old one: ${onlyOld.join('; ')}.`]),
    ...(onlyNew.length === 0 ? [] : [`Only in the new one: ${onlyNew.join('; ')}.`]),
  ].join('\n');
}

function rowOf({ name, unit, basis, old, new: now, share, verdict }: Change): string[] {
  const text = (reading: Reading) => readingText(reading, basis === 'ratio' ? 'x' : unit);
  return [`${name}${basisNames[basis]}`, text(old), text(now), share === null ? '' : percent(share), verdict];
}

function readingText({ value, range }: Reading, unit: string): string {
  const spread = range === null ? ' (one window)' : ` (${shown(range[0])} to ${shown(range[1])})`;
  return `${shown(value)} ${unit}${spread}`;
}

const percent = (share: number) => `${share < 0 ? '-' : '+'}${Math.abs(share * 100).toFixed(0)} %`;
