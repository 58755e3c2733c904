// The URL in a call: which ones are taken, and the parts that sending needs.
import { RecentMap } from './recent-map.js';

/** Longer URLs are refused: servers commonly stop at 8 KiB, and those below stay in memory. */
const maxUrlLength = 8192;
/** Parsing costs some microseconds; services call the same URLs many times. Twice as many, and as long together, at the most. */
const maxParsed = 16_384;
const maxParsedLength = 4_194_304;

export interface CallUrl {
  /** scheme://host[:port], the default name of a destination; of gRPC too the port is left out where it is 80, or 443 with TLS. */
  readonly origin: string;
  /** Path with query, or /package.Service/Method; the fragment never leaves this machine. */
  readonly path: string;
}

const parsed = new RecentMap<string, CallUrl>(maxParsed, maxParsedLength, (text) => text.length);

export const callSchemes = ['http', 'https', 'grpc', 'grpcs'] as const;
export type CallScheme = (typeof callSchemes)[number];

/** What callers and operators are told of it. */
export const callUrlForms =
  'an absolute http or https URL, or grpc(s)://host:port/package.Service/Method, without credentials, at most 8 KiB';

/** Null for what is no such URL, carries credentials, or is longer than 8 KiB. */
export function parseCallUrl(text: string): CallUrl | null {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const url = parse(text);
  if (url !== null) parsed.set(text, url);
  return url;
}

export const schemeOf = (origin: string): CallScheme => origin.slice(0, origin.indexOf(':')) as CallScheme;

/** Of an origin as parseCallUrl writes it. */
export function portOf(origin: string): number {
  const port = /:(\d+)$/.exec(origin)?.[1];
  return port === undefined ? (schemeOf(origin).endsWith('s') ? 443 : 80) : Number(port);
}

/** The parser below forgives missing hosts and slashes, spaces and line breaks; a caller who sends them means something else. */
const shape = /^(http|grpc)(s?):\/\/([^/\\?#\s]\S*)$/i;
/** A method's full name, and nothing behind it. */
const method = /^\/[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/;

function parse(text: string): CallUrl | null {
  const [, kind = '', s = '', rest = ''] = (text.length <= maxUrlLength && shape.exec(text)) || [];
  if (kind === '') return null;
  // A URL parser knows hosts and default ports of http only; those of gRPC are the same.
  const url = URL.parse(`http${s}://${rest}`);
  // What is sent is longer than what was written where it had to be encoded.
  if (url === null || url.href.length > maxUrlLength) return null;
  if (url.username !== '' || url.password !== '') return null;
  const path = url.pathname + url.search;
  if (kind.toLowerCase() === 'http') return { origin: url.origin, path };
  return method.test(path) && url.hash === '' ? { origin: url.origin.replace('http', 'grpc'), path } : null;
}
