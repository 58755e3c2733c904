// The URL in a call: which ones are taken, and the parts that sending needs.

/** Longer URLs are refused: servers commonly stop at 8 KiB, and the cache below keeps them in memory. */
const maxUrlLength = 8192;
/** Parsing costs more than a microsecond; services call few distinct URLs many times. */
const cacheSize = 1024;

export interface CallUrl {
  /** scheme://host[:port], the default name of a destination. */
  readonly origin: string;
  /** Path with query; the fragment never leaves this machine. */
  readonly path: string;
}

const cache = new Map<string, CallUrl>();

/** Null for what is no absolute http or https URL, carries credentials, or is longer than 8 KiB. */
export function parseCallUrl(text: string): CallUrl | null {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const parsed = parse(text);
  if (parsed === null) return null;
  if (cache.size >= cacheSize) cache.clear();
  cache.set(text, parsed);
  return parsed;
}

function parse(text: string): CallUrl | null {
  if (text.length > maxUrlLength) return null;
  const url = URL.parse(text);
  if (url === null) return null;
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return null;
  if (url.username !== '' || url.password !== '') return null;
  return { origin: url.origin, path: url.pathname + url.search };
}
