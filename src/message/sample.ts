// Which messages the log tells of: the same ones wherever it is asked, also on other nodes; pure.
import { fnv1a } from './fnv.js';

const two32 = 2 ** 32;

/** True for `share` of all ids, from 0 for none to 1 for all: by a hash (FNV-1a), since ids begin with the time. */
export function isSampled(id: string, share: number): boolean {
  if (share <= 0) return false;
  if (share >= 1) return true;
  const all = fnv1a(id);
  // The last letters alone hardly reach the high bits.
  const hash = Math.imul(all ^ (all >>> 15), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / two32 < share;
}
