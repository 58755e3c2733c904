// An origin as it is written in a configuration.
import { parseCallUrl } from '../message/call-url.js';

/** As a URL parser writes it (lower case, default port left out); null for what is no origin of http, https, grpc or grpcs. */
export function originOf(value: unknown): string | null {
  if (typeof value !== 'string' || !/^(http|grpc)s?:\/\/[^/\\?#@\s]+\/?$/i.test(value)) return null;
  // A method of any service: it is not looked at.
  const isGrpc = /^grpc/i.test(value);
  return parseCallUrl(isGrpc ? `${value.replace(/\/$/, '')}/a/b` : value)?.origin ?? null;
}
