// Headers that are never sent on to a receiver, whoever asked for them.

/** What says how much of the bytes is a request, or belongs to the connection: a second word on it is another request to somebody. */
export const framing: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Credentials of the caller, what belongs to one connection, and what bigpipe itself says. */
const names: ReadonlySet<string> = new Set([
  ...framing,
  'authorization',
  'content-type',
  'cookie',
  'host',
  'idempotency-key',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'user-agent',
]);

/** `name` in lower case. */
export const isHeldBack = (name: string): boolean => names.has(name) || name.startsWith('bigpipe-');
