// How a node shows another one that a request is a node's: signed with the secret that all of them have.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** From which node to which, when, and the signature. */
export const nodeHeader = 'bigpipe-node';
/** For whom: the name of a caller that the asking node has let in, percent-encoded. */
export const nodeCallerHeader = 'bigpipe-node-caller';
/** Clocks may differ so much; an older request is one that somebody has kept. */
const validMs = 60_000;

export interface NodeRequest {
  readonly from: string;
  readonly to: string;
  readonly path: string;
  readonly caller: string;
  readonly body: Buffer;
}

export function signed(request: NodeRequest, secret: string, nowMs: number): Record<string, string> {
  const { from, to, caller } = request;
  return {
    [nodeHeader]: `${from} ${to} ${nowMs} ${signatureOf(request, secret, nowMs).toString('hex')}`,
    [nodeCallerHeader]: encodeURIComponent(caller),
  };
}

/** The name of the caller whom the request is for; null when no node of ours has signed it, for this node, just now. */
export function verifiedCaller(
  headers: Readonly<Record<string, unknown>>,
  { to, path, body }: Pick<NodeRequest, 'to' | 'path' | 'body'>,
  secret: string,
  nowMs: number,
): string | null {
  const [, from, asked, time, hex] =
    /^([0-9a-f]{8}) ([0-9a-f]{8}) (\d{1,15}) ([0-9a-f]{64})$/.exec(String(headers[nodeHeader])) ?? [];
  const caller = decoded(headers[nodeCallerHeader]);
  if (from === undefined || asked !== to || hex === undefined || caller === null) return null;
  const askedMs = Number(time);
  if (Math.abs(nowMs - askedMs) > validMs) return null;
  const expected = signatureOf({ from, to, path, caller, body }, secret, askedMs);
  return timingSafeEqual(expected, Buffer.from(hex, 'hex')) ? caller : null;
}

function signatureOf({ from, to, path, caller, body }: NodeRequest, secret: string, nowMs: number): Buffer {
  const digest = createHash('sha256').update(body).digest('hex');
  const text = ['bigpipe-node-1', from, to, nowMs, path, encodeURIComponent(caller), digest].join('\n');
  return createHmac('sha256', secret).update(text).digest();
}

function decoded(name: unknown): string | null {
  if (typeof name !== 'string') return null;
  try {
    return decodeURIComponent(name);
  } catch {
    return null;
  }
}
