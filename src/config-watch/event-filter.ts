// Filters over a message's attributes as CloudEvents subscriptions write them; SQL is not among them.
import { headerAttribute } from '../message/attributes.js';
import { isObject } from './json.js';
import type { EventFilter } from './settings.js';

const comparisons = ['exact', 'prefix', 'suffix'] as const;
const attributePattern = /^[a-z0-9]{1,100}$/;
const headerPattern = /^header\.[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;

/** How deep filters may stand in filters, and how many comparisons there may be in all. */
const maxDepth = 8;
const maxComparisons = 100;
const maxValueLength = 1024;

export const eventFilterAllowed =
  `a list of filters, each {"exact" | "prefix" | "suffix": {"ATTRIBUTE": "text"}}, {"all" | "any": [filters]} or {"not": filter}; ` +
  `an attribute is of a-z and 0-9, or "${headerAttribute}NAME"; at most ${maxDepth} deep and ${maxComparisons} comparisons`;

/** Null for what is no list of filters. */
export function eventFiltersOf(value: unknown): EventFilter[] | null {
  const room = { comparisons: maxComparisons };
  return listOf(value, room, maxDepth);
}

interface Room {
  comparisons: number;
}

function listOf(value: unknown, room: Room, depth: number): EventFilter[] | null {
  if (!Array.isArray(value) || depth === 0) return null;
  const filters: EventFilter[] = [];
  for (const item of value) {
    const filter = filterOf(item, room, depth);
    if (filter === null) return null;
    filters.push(filter);
  }
  return filters;
}

function filterOf(value: unknown, room: Room, depth: number): EventFilter | null {
  if (!isObject(value) || depth === 0) return null;
  const [[dialect, of] = [], more] = Object.entries(value);
  if (dialect === undefined || more !== undefined) return null;
  const comparison = comparisons.find((name) => name === dialect);
  if (comparison !== undefined) return comparisonOf(comparison, of, room);
  if (dialect === 'not') {
    const filter = filterOf(of, room, depth - 1);
    return filter === null ? null : { kind: 'not', filter };
  }
  if (dialect !== 'all' && dialect !== 'any') return null;
  const filters = listOf(of, room, depth - 1);
  return filters === null || filters.length === 0 ? null : { kind: dialect, filters };
}

function comparisonOf(kind: (typeof comparisons)[number], of: unknown, room: Room): EventFilter | null {
  if (!isObject(of)) return null;
  const attributes = Object.entries(of);
  room.comparisons -= attributes.length;
  if (attributes.length === 0 || room.comparisons < 0) return null;
  const holds = ([name, text]: [string, unknown]) =>
    (attributePattern.test(name) || headerPattern.test(name)) &&
    typeof text === 'string' &&
    text !== '' &&
    text.length <= maxValueLength;
  return attributes.every(holds) ? { kind, attributes: attributes as [string, string][] } : null;
}
