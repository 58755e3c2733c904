// What a subscription says of the requests to its own receivers: their path, made for each message, and further headers.
import type { CallUrl } from './call-url.js';
import { messageHeader, type Position, type StoredMessage } from './message.js';

/** What a template may name. */
export const uriVariables = ['TOPIC', 'KEY', 'TRANSID', 'PARTITION', 'METHOD', 'TYPE'] as const;
export type UriVariable = (typeof uriVariables)[number];

const pattern = /\{#([^{}]*)\}/g;
/** Longer ones are refused by servers. */
const maxTemplateLength = 4096;

/** Of messages that name no URL of their own: what others named is asked for as they named it. */
export interface RequestShape {
  /** null: as the receiver's URL says. */
  readonly uri: UriTemplate | null;
  /** Name, value, name, value … in lower case names. */
  readonly headers: readonly string[];
  /** Which method a body asks for, null where it says none; absent: nobody wants to know. */
  readonly methodOf: ((body: Buffer) => string | null) | null;
}

/** A path and query with {#NAME} in it; what takes their place is percent-encoded, so it can be nothing but a value. */
export class UriTemplate {
  constructor(private readonly text: string) {}

  /** Why it cannot be one; null for one that can. */
  static faultOf(text: string): string | null {
    if (!text.startsWith('/') || text.startsWith('//') || text.length > maxTemplateLength)
      return 'a path from the root on';
    for (const [, name = ''] of text.matchAll(pattern))
      if (!uriVariables.includes(name as UriVariable)) return `{#${uriVariables.join('}, {#')}}, not {#${name}}`;
    const plain = text.replace(pattern, '');
    if (/[^\x21-\x7e]/.test(plain) || /[#\\"<>{}|^`]/.test(plain)) return 'visible ASCII without # \\ " < > { } | ^ `';
    return null;
  }

  /** The URL of this message's request; `first`: where it was first stored; `method`: what its body asks for. */
  at({ origin }: CallUrl, message: StoredMessage, first: Position, method: string | null): CallUrl {
    const path = this.text.replace(pattern, (_whole, name: UriVariable) => textFor(name, message, first, method));
    return { origin, path };
  }
}

function textFor(
  name: UriVariable,
  { key, headers }: StoredMessage,
  { topic, partition, offset }: Position,
  method: string | null,
): string {
  switch (name) {
    case 'TOPIC':
      return encodeURIComponent(topic);
    case 'KEY':
      return key === null ? '' : encoded(key);
    case 'TRANSID':
      return `${offset}`;
    case 'PARTITION':
      return `${partition}`;
    case 'METHOD':
      return method === null ? '*' : encodeURIComponent(method);
    case 'TYPE':
      return encodeURIComponent(headers[messageHeader.type] ?? '');
  }
}

/** Bytes that are no text are encoded one by one. */
function encoded(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text).equals(bytes)) return encodeURIComponent(text);
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join('');
}
