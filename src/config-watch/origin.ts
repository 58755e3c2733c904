// An origin as it is written in a configuration.

/** As a URL parser writes it (lower case, default port left out); null for what is no origin of http or https. */
export function originOf(value: unknown): string | null {
  if (typeof value !== 'string' || !/^https?:\/\/[^/\\?#@\s]+\/?$/i.test(value)) return null;
  return URL.parse(value)?.origin ?? null;
}
