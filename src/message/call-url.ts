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

/** The parser below forgives missing hosts and slashes, spaces and line breaks; a caller who sends them means something else. */
const shape = /^https?:\/\/[^/\\?#\s]\S*$/i;

function parse(text: string): CallUrl | null {
  if (text.length > maxUrlLength || !shape.test(text)) return null;
  const url = URL.parse(text);
  // What is sent is longer than what was written where it had to be encoded.
  if (url === null || url.href.length > maxUrlLength) return null;
  if (url.username !== '' || url.password !== '') return null;
  return { origin: url.origin, path: url.pathname + url.search };
}
