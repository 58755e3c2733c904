// Figures of several processes as one; pure.
import type { Sections } from './control-channel.js';

type Json = Record<string, unknown>;

/** Numbers under the same name are added up; of anything else the first one holds. */
export function sumSections(all: readonly Sections[]): Record<string, object> {
  const sum: Json = {};
  for (const sections of all) addTo(sum, sections as Json);
  return Object.fromEntries(
    Object.keys(sum)
      .sort()
      .map((name) => [name, sum[name] as object]),
  );
}

function addTo(sum: Json, more: Json): void {
  for (const [name, value] of Object.entries(more)) {
    const known = sum[name];
    if (known === undefined) sum[name] = copyOf(value);
    else if (typeof known === 'number' && typeof value === 'number') sum[name] = known + value;
    else if (isObject(known) && isObject(value)) addTo(known, value);
  }
}

function copyOf(value: unknown): unknown {
  if (!isObject(value)) return value;
  const copy: Json = {};
  addTo(copy, value);
  return copy;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
