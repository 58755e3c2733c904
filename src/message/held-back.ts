// Headers that are never sent on to a receiver, whoever asked for them.

/** Credentials of the caller, what belongs to one connection, and what bigpipe itself says. */
const names: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

/** `name` in lower case. */
export const isHeldBack = (name: string): boolean => names.has(name) || name.startsWith('bigpipe-');
