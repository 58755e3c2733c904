// Lists of HTTP statuses as they are written in a configuration.

const lowest = 200;
const highest = 599;

/** Null when an entry is none of 404, "4xx", "400-404", or outside 200 to 599. */
export function statusesOf(list: readonly unknown[]): ReadonlySet<number> | null {
  const statuses = new Set<number>();
  for (const entry of list) {
    const range = rangeOf(entry);
    if (range === null) return null;
    for (let status = range[0]; status <= range[1]; status += 1) statuses.add(status);
  }
  return statuses;
}

function rangeOf(entry: unknown): readonly [first: number, last: number] | null {
  const [first, last] = boundsOf(entry);
  return Number.isInteger(first) && first >= lowest && first <= last && last <= highest ? [first, last] : null;
}

function boundsOf(entry: unknown): readonly [number, number] {
  if (typeof entry === 'number') return [entry, entry];
  const text = typeof entry === 'string' ? entry : '';
  const kind = /^([2-5])xx$/i.exec(text);
  if (kind !== null) return [Number(kind[1]) * 100, Number(kind[1]) * 100 + 99];
  const range = /^(\d{3})-(\d{3})$/.exec(text);
  return range === null ? [Number.NaN, Number.NaN] : [Number(range[1]), Number(range[2])];
}
