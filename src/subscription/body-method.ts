// Which method a body asks for, where bodies are msgpack maps, as ktransfer's are.
import { decode } from '@msgpack/msgpack';

/** Null for what is no msgpack map, or has no text under "method". */
export function methodOf(body: Buffer): string | null {
  try {
    const value = decode(body);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    const { method } = value as { method?: unknown };
    return typeof method === 'string' ? method : null;
  } catch {
    return null;
  }
}
