// Who calls, by the Authorization header: the same name and secret under either scheme.
import { isUtf8 } from 'node:buffer';
import type { Acl } from '../acl/acl.js';
import type { AclEntry } from '../acl/acl-entry.js';
import type { DoorRequest } from './exchange.js';

/** What a 401 says of how to come in. */
export const challenge = 'Basic realm="bigpipe", charset="UTF-8", Bearer realm="bigpipe"';

/** `Basic` or `Bearer`, and base64 (either alphabet) of `name:secret`. The name has no colon. */
const pattern = /^(?:basic|bearer) +([A-Za-z0-9+/_-]+={0,2})$/i;
/** Of the whole header. */
const longest = 8192;

interface Credentials {
  readonly name: string;
  readonly secret: string;
}

/** Null for what is none. */
export function credentialsOf(authorization: string | undefined): Credentials | null {
  if (authorization === undefined || authorization.length > longest) return null;
  const token = pattern.exec(authorization.trimEnd())?.[1];
  if (token === undefined) return null;
  const bytes = Buffer.from(token, 'base64');
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString('utf8');
  const at = text.indexOf(':');
  return at === -1 ? null : { name: text.slice(0, at), secret: text.slice(at + 1) };
}

/** Null for who does not say who he is, or says so wrongly. A promise only where Acl.check gives one. */
export function callerOf(acl: Acl, request: DoorRequest): AclEntry | null | Promise<AclEntry | null> {
  const credentials = credentialsOf(request.headers.authorization);
  return credentials === null
    ? null
    : acl.check(credentials.name, credentials.secret, request.socket.remoteAddress, request.socket);
}
