// A reply as bytes: one line of JSON, and the body behind it.
import type { Reply } from '../message/reply.js';

const lineEnd = 0x0a;
const nothing = Buffer.alloc(0);

export function bytesOfReply(reply: Reply): Buffer {
  const { body, ...head } = { body: nothing, ...reply };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body]);
}

/** Null for what is no reply: others may write where we do. */
export function replyOf(bytes: Buffer): Reply | null {
  const end = bytes.indexOf(lineEnd);
  if (end === -1) return null;
  try {
    const head = JSON.parse(bytes.toString('utf8', 0, end)) as Record<string, unknown>;
    const { id, caller, kind, status, headers, detail } = head;
    if (typeof id !== 'string' || typeof caller !== 'string' || typeof status !== 'number') return null;
    if (kind === 'failed') return { id, caller, kind, status, detail: String(detail) };
    if (kind !== 'answered' || typeof headers !== 'object' || headers === null) return null;
    const texts = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
    return { id, caller, kind, status, headers: texts, body: bytes.subarray(end + 1) };
  } catch {
    return null;
  }
}
