// How many steps a backtracking engine takes for a regular expression: what is linear, and what is not, without a clock.

type Part =
  | { readonly kind: 'one'; readonly fits: RegExp; min: number; max: number }
  | { readonly kind: 'group'; readonly parts: Part[]; min: number; max: number };

const tokens = /\[(?:\\.|[^\]\\])*\]|\\x[\da-f]{2}|\\.|\((?:\?:)?|\)|[*+?]|\{\d+,\d+\}|\{\d+\}|[^|^$]/giy;
const bounds: Readonly<Record<string, readonly [number, number]>> = {
  '*': [0, Number.POSITIVE_INFINITY],
  '+': [1, Number.POSITIVE_INFINITY],
  '?': [0, 1],
};

/** Knows characters, classes, groups that may be missing, and greedy counts of single characters; throws for all else. */
function partsOf({ source, flags }: RegExp): Part[] {
  const open: Part[][] = [[]];
  let at = 0;
  for (const [token] of source.matchAll(tokens)) {
    at += token.length;
    const parts = open.at(-1) as Part[];
    const range =
      bounds[token] ??
      /^\{(\d+),?(\d*)\}$/
        .exec(token)
        ?.slice(1)
        .map((n, i, [least]) => Number(n || (i === 1 ? least : n)));
    if (range !== undefined) {
      const last = parts.at(-1) as Part;
      [last.min, last.max] = range as [number, number];
      if (last.kind === 'group' && last.max > 1) throw new Error(`a repeated group in ${source}`);
    } else if (token.startsWith('(')) {
      const group: Part = { kind: 'group', parts: [], min: 1, max: 1 };
      parts.push(group);
      open.push(group.parts);
    } else if (token === ')') open.pop();
    else parts.push({ kind: 'one', fits: new RegExp(`^${token}$`, flags.replace(/[gy]/, '')), min: 1, max: 1 });
  }
  if (at !== source.length) throw new Error(`what is there at ${at} of ${source}?`);
  return open[0] as Part[];
}

/** Of a match at the beginning of the text, or of finding that there is none. */
export function stepsOf(expression: RegExp, text: string): { readonly isMatch: boolean; readonly steps: number } {
  let steps = 0;
  const rest = (parts: readonly Part[], at: number, then: (at: number) => boolean): boolean => {
    steps += 1;
    const [part, ...others] = parts;
    if (part === undefined) return then(at);
    if (part.kind === 'group') {
      const within = rest(part.parts, at, (end) => rest(others, end, then));
      return within || (part.min === 0 && rest(others, at, then));
    }
    let end = at;
    while (end - at < part.max && end < text.length && part.fits.test(text[end] as string)) end += 1;
    steps += end - at;
    for (; end - at >= part.min; end -= 1) if (rest(others, end, then)) return true;
    return false;
  };
  return { isMatch: rest(partsOf(expression), 0, () => true), steps };
}
