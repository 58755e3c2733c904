// Ids for messages whose caller gave none: UUID version 7 behind 'msg_', sorted by time, unique without a counter.
import { getRandomValues } from 'node:crypto';
import { v7 } from 'uuid';

const idBytes = 16;
/** Random bytes are fetched for 256 ids at once: a system call for each would cost more than the rest of the id. */
const pool = new Uint8Array(256 * idBytes);
let used = pool.length;

export function newMessageId(nowMs: number): string {
  if (used === pool.length) {
    getRandomValues(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + idBytes);
  used += idBytes;
  return `msg_${v7({ msecs: nowMs, random })}`;
}
