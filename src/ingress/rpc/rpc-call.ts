// Reads the body of POST /rpc/call: its fields, and the order in which they are checked, are the original's.
import { isUtf8 } from 'node:buffer';
import { parseCallUrl } from '../../message/call-url.js';
import { type Acks, ackLevels, messageHeader } from '../../message/message.js';
import { isMessageId } from '../../message/message-id.js';
import { isMessageType } from '../../message/message-type.js';
import { callbackUrlForms, isCallbackUrl } from '../callback-url.js';
import { deliverLimitForms, deliverLimitOf } from '../deliver-limit.js';
import { isHeaderValue, maxForwarded, maxForwardedLength, whyNotForwarded } from '../forwarded.js';
import { isTooDeep, maxJsonDepth } from '../json-depth.js';
import { type Times, timesOf } from '../moments.js';
import { waitMsOf } from '../waiting-caller.js';

/** A call as it came in; nothing in it is trusted beyond its shape. */
export interface RpcCall {
  readonly url: string;
  readonly aclName: string;
  readonly aclSecret: string;
  readonly key: string;
  readonly data: string;
  readonly id: string | undefined;
  readonly acks: Acks | undefined;
  /** The stored message's headers, save the id. */
  readonly headers: Record<string, string>;
  /** When it is due and until when it is worth sending, as seen from `nowMs`; null: at once, and for ever. */
  readonly timesAt: ((nowMs: number) => Times | Refusal) | null;
  /** How long the caller waits for the receiver's answer; 0: not at all. */
  readonly waitMs: number;
  /** Where the receiver's answer is to be delivered; null: nowhere. It is among the headers too. */
  readonly callbackUrl: string | null;
}

/** The msg of the answer, which says what is wrong. */
export interface Refusal {
  readonly refused: string;
}

type Json = Record<string, unknown>;

export function readRpcCall(body: Buffer | undefined): RpcCall | Refusal {
  if (body !== undefined && isTooDeep(body)) return { refused: `JSON无效: nested deeper than ${maxJsonDepth} levels` };
  const call = parseObject(body);
  if (call === undefined) return { refused: 'JSON无效' };
  const url = call?.['url'];
  if (call === null || typeof url !== 'string' || parseCallUrl(url) === null) return { refused: 'url无效' };
  const { data, partition_key: key, acl } = call;
  if (typeof data !== 'string') return { refused: 'data无效' };
  if (typeof key !== 'string') return { refused: 'partition_key无效' };
  if (typeof acl !== 'object' || acl === null || Array.isArray(acl)) return { refused: 'acl无效' };
  const { name, secret } = acl as Json;
  if (typeof name !== 'string') return { refused: 'acl.name' };
  if (typeof secret !== 'string') return { refused: 'acl.secret' };
  const extras = readExtras(call, url);
  if ('refused' in extras) return extras;
  return { url, aclName: name, aclSecret: secret, key, data, ...extras };
}

/** What this bigpipe takes beyond the original; null is as good as absent. */
function readExtras(
  call: Json,
  url: string,
): Pick<RpcCall, 'id' | 'acks' | 'headers' | 'timesAt' | 'waitMs' | 'callbackUrl'> | Refusal {
  const id = call['id'] ?? undefined;
  const acks = call['acks'] ?? undefined;
  const contentType = call['content_type'] ?? undefined;
  const type = call['type'] ?? undefined;
  const asked = call['headers'] ?? undefined;
  if (id !== undefined && !isMessageId(id)) return { refused: 'id无效' };
  if (acks !== undefined && !ackLevels.includes(acks as Acks)) return { refused: 'acks无效' };
  const headers: Record<string, string> = { [messageHeader.url]: url };
  if (contentType !== undefined) {
    if (contentType === '' || !isHeaderValue(contentType)) return { refused: 'content_type无效' };
    headers[messageHeader.contentType] = contentType;
  }
  if (type !== undefined) {
    if (!isMessageType(type)) return { refused: 'type无效' };
    headers[messageHeader.type] = type;
  }
  if (asked !== undefined) {
    const refused = addForwarded(asked, headers);
    if (refused !== null) return { refused };
  }
  const waitMs = waitMsOf(call['wait'] ?? 0);
  if (waitMs === null) return { refused: 'wait无效: allowed: seconds from 0 to 3600' };
  const callbackUrl = call['callback_url'] ?? null;
  if (callbackUrl !== null) {
    if (!isCallbackUrl(callbackUrl)) return { refused: `callback_url无效: allowed: ${callbackUrlForms}` };
    headers[messageHeader.callbackUrl] = callbackUrl;
  }
  const limit = call['deliver_limit'] ?? null;
  if (limit !== null) {
    const deliverLimit = deliverLimitOf(limit);
    if (deliverLimit === null) return { refused: `deliver_limit无效: allowed: ${deliverLimitForms}` };
    headers[messageHeader.deliverLimit] = String(deliverLimit);
  }
  const timesAt = timesOfCall(call);
  return { id: id as string | undefined, acks: acks as Acks | undefined, headers, timesAt, waitMs, callbackUrl };
}

/** Most calls have none, and need not know the time. */
function timesOfCall(call: Json): RpcCall['timesAt'] {
  const delay = call['delay'] ?? undefined;
  const notBefore = call['not_before'] ?? undefined;
  const expires = call['expires'] ?? undefined;
  if (delay === undefined && notBefore === undefined && expires === undefined) return null;
  return (nowMs) => {
    let refused: string | null = null;
    const times = timesOf({ delay, not_before: notBefore, expires }, nowMs, (field, detail) => {
      refused ??= `${field}无效: ${detail}`;
    });
    return refused === null ? times : { refused };
  };
}

function addForwarded(asked: unknown, headers: Record<string, string>): string | null {
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) return 'headers无效';
  const entries = Object.entries(asked);
  if (entries.length > maxForwarded) return `headers无效: more than ${maxForwarded}`;
  let length = 0;
  for (const [written, value] of entries) {
    const name = written.toLowerCase();
    const why = whyNotForwarded(name);
    if (why !== null) return `headers无效: ${why}`;
    if (!isHeaderValue(value)) return `headers无效: ${name}`;
    length += name.length + value.length;
    headers[messageHeader.forward + name] = value;
  }
  if (length > maxForwardedLength) return `headers无效: more than ${maxForwardedLength} bytes`;
  return null;
}

/** Undefined for what is no JSON object; null for JSON's null, which the original takes for an object without fields. */
function parseObject(body: Buffer | undefined): Json | null | undefined {
  // JSON is UTF-8; replacing broken bytes would deliver something else than was sent.
  if (body === undefined || !isUtf8(body)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  return typeof value === 'object' && !Array.isArray(value) ? (value as Json | null) : undefined;
}
