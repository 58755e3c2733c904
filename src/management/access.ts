// Who may use the management listener: whoever has its token; on loopback without one, whoever is no page in a browser.
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';
import type { ManagementSettings } from '../config-watch/settings.js';

export interface Turned {
  readonly status: 401 | 403;
  readonly message: string;
}

const digestOf = (text: string): Buffer => hash('sha256', text, 'buffer');

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Null for a request that may pass. */
export function whyTurnedAway(request: IncomingMessage, settings: ManagementSettings): Turned | null {
  const { token } = settings;
  if (isOpen(request, settings.open)) return null;
  if (token === null) return againstBrowsers(request);
  if (isConsoleFile(request)) return null;
  const [, presented = ''] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  // Digests have one length, whatever the token's was.
  if (timingSafeEqual(digestOf(presented), digestOf(token))) return null;
  return { status: 401, message: 'this listener has a token: Authorization: Bearer TOKEN' };
}

/** Only for reading, whatever the query says. */
function isOpen({ method, url = '' }: IncomingMessage, open: readonly string[]): boolean {
  const [path = ''] = url.split('?');
  return (method === 'GET' || method === 'HEAD') && open.includes(path);
}

/** The console's own files, which are the same for everybody: its page asks for the token, and everything it shows needs it. */
const isConsoleFile = ({ method, url = '' }: IncomingMessage): boolean =>
  (method === 'GET' || method === 'HEAD') && /^\/console(\/assets\/[a-z-]+(\.[a-z]+)+)?$/.test(url);

/**
 * Where nothing but the place protects, a page that the operator visits must not get there: not by a request across
 * sites, and not by a name of its own that it lets lead to this machine.
 */
function againstBrowsers({ headers }: IncomingMessage): Turned | null {
  const { host = '', origin, 'sec-fetch-site': site } = headers;
  if (!isLoopback(host))
    return { status: 403, message: 'without a token this listener answers to loopback names only' };
  const isForeign = origin !== undefined && URL.parse(origin)?.host !== host.toLowerCase();
  if (isForeign || site === 'cross-site' || site === 'same-site') {
    return { status: 403, message: 'without a token this listener answers no page of another origin' };
  }
  return null;
}

function isLoopback(hostAndPort: string): boolean {
  const host = URL.parse(`http://${hostAndPort}`)?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
  const family = isIP(host);
  if (family === 0) return host === 'localhost';
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
