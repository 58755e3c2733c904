// Reads the body of POST /rpc/call: its fields, and the order in which they are checked, are the original's.
import { isUtf8 } from 'node:buffer';
import { parseCallUrl } from '../../message/call-url.js';
import { type Acks, ackLevels, messageHeader } from '../../message/message.js';

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
}

/** The msg of the answer, which says what is wrong. */
export interface Refusal {
  readonly refused: string;
}

/** An id travels in headers, log lines and signatures; a dot is the signature's separator. */
const idPattern = /^[A-Za-z0-9_:-]{1,128}$/;
const headerNamePattern = /^[a-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
/** Visible ASCII and spaces inside: what every server takes. */
const headerValuePattern = /^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/;
const maxHeaders = 50;
/** Names and values together: receivers commonly take 8 to 16 KiB of headers in all. */
const maxHeadersLength = 8192;

/** Credentials of the caller, what belongs to one connection, and what bigpipe itself says. */
const heldBack: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);

type Json = Record<string, unknown>;

export function readRpcCall(body: Buffer | undefined): RpcCall | Refusal {
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
function readExtras(call: Json, url: string): Pick<RpcCall, 'id' | 'acks' | 'headers'> | Refusal {
  const [id, acks, contentType, asked] = [call['id'], call['acks'], call['content_type'], call['headers']].map(
    (value) => value ?? undefined,
  );
  if (id !== undefined && !(typeof id === 'string' && idPattern.test(id))) return { refused: 'id无效' };
  if (acks !== undefined && !ackLevels.includes(acks as Acks)) return { refused: 'acks无效' };
  const headers: Record<string, string> = { [messageHeader.url]: url };
  if (contentType !== undefined) {
    if (contentType === '' || !isHeaderValue(contentType)) return { refused: 'content_type无效' };
    headers[messageHeader.contentType] = contentType;
  }
  if (asked !== undefined) {
    const refused = addForwarded(asked, headers);
    if (refused !== null) return { refused };
  }
  return { id: id as string | undefined, acks: acks as Acks | undefined, headers };
}

function addForwarded(asked: unknown, headers: Record<string, string>): string | null {
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) return 'headers无效';
  const entries = Object.entries(asked);
  if (entries.length > maxHeaders) return `headers无效: more than ${maxHeaders}`;
  let length = 0;
  for (const [written, value] of entries) {
    const name = written.toLowerCase();
    if (!headerNamePattern.test(name)) return 'headers无效: a name is not a header name';
    if (heldBack.has(name) || name.startsWith('bigpipe-')) return `headers无效: ${name} is not forwarded`;
    if (!isHeaderValue(value)) return `headers无效: ${name}`;
    length += name.length + value.length;
    headers[messageHeader.forward + name] = value;
  }
  if (length > maxHeadersLength) return `headers无效: more than ${maxHeadersLength} bytes`;
  return null;
}

function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && value.length <= maxHeadersLength && headerValuePattern.test(value);
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
