// Origins that a caller may call, as they are written in a configuration: https://api.example.com, https://*.example.com:*.

import { type CallScheme, schemeOf } from '../message/call-url.js';

export interface OriginPattern {
  /** null: any. */
  readonly scheme: CallScheme | null;
  /** As a URL parser writes it; null: any. */
  readonly host: string | null;
  /** The host itself is not meant, only names below it. */
  readonly isBelow: boolean;
  /** null: any. */
  readonly port: number | null;
}

export const originPatternAllowed =
  'like "https://api.example.com", "https://*.example.com:8443" (names below it), "https://*" or "*://10.0.0.7:*"; no path';

const shape = /^(https?|grpcs?|\*):\/\/(\[[0-9a-f:.]+\]|[^/\\?#@\s:[\]]+)(?::(\d{1,5}|\*))?\/?$/i;
const defaultPorts = { http: 80, https: 443, grpc: 80, grpcs: 443 } as const;

/** Null for what is no such pattern. Without a port the scheme's own is meant, and any where the scheme is any. */
export function originPatternOf(text: unknown): OriginPattern | null {
  const [, schemeText = '', hostText = '', portText] = (typeof text === 'string' && shape.exec(text)) || [];
  if (hostText === '') return null;
  const scheme = schemeText === '*' ? null : (schemeText.toLowerCase() as CallScheme);
  const isBelow = hostText.startsWith('*.');
  const host = hostText === '*' ? null : hostOf(isBelow ? hostText.slice(2) : hostText);
  if (host === '' || (isBelow && /^[\d.[]/.test(host ?? ''))) return null;
  const port = portOf(portText, scheme);
  return port !== null && (port < 1 || port > 65_535) ? null : { scheme, host, isBelow, port };
}

/** `origin` as a URL parser writes it. */
export function matchesOrigin(pattern: OriginPattern, origin: string): boolean {
  const url = URL.parse(origin);
  if (url === null) return false;
  const scheme = schemeOf(origin);
  if (pattern.scheme !== null && pattern.scheme !== scheme) return false;
  const port = url.port === '' ? defaultPorts[scheme] : Number(url.port);
  if (pattern.port !== null && pattern.port !== port) return false;
  if (pattern.host === null) return true;
  return pattern.isBelow ? url.hostname.endsWith(`.${pattern.host}`) : url.hostname === pattern.host;
}

function portOf(text: string | undefined, scheme: CallScheme | null): number | null {
  if (text === '*') return null;
  if (text !== undefined) return Number(text);
  return scheme === null ? null : defaultPorts[scheme];
}

/** Empty for what is no host. */
function hostOf(text: string): string {
  return text.includes('*') ? '' : (URL.parse(`http://${text}`)?.hostname ?? '');
}
