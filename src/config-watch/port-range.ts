// Ports as they are written in a configuration.
import type { PortRange } from '../message/egress-rules.js';

const highestPort = 65_535;

/** 443, "443" or "8000-8999"; null for anything else. */
export function portRangeOf(value: unknown): PortRange | null {
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(`${value}`) ?? [];
  if (from === undefined) return null;
  const [first, last] = [Number(from), Number(to ?? from)];
  return first >= 1 && first <= last && last <= highestPort ? { first, last } : null;
}
