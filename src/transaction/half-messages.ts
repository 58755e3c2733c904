// The messages of a transaction as they lie in its one record, and what they become when it is committed; pure.
import { type Message, type MessageHeaders, messageHeader } from '../message/message.js';

/** A message that nobody sees yet. */
export interface HalfMessage {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly body: Buffer;
  readonly headers: MessageHeaders;
  /** Milliseconds from the commit on in which it is not sent; 0: none. */
  readonly delayMs: number;
  /** Milliseconds from the commit on in which it is worth sending; 0: for ever, or as its headers say. */
  readonly lastsMs: number;
}

/** What stands in front of the bodies: their places are told by their lengths. */
interface Head {
  readonly topic: string;
  readonly key: string | null;
  readonly headers: MessageHeaders;
  readonly delayMs: number;
  readonly lastsMs: number;
  readonly bytes: number;
}

const lengthBytes = 4;

/** The length of the heads, the heads as JSON, the bodies. */
export function packed(messages: readonly HalfMessage[]): Buffer {
  const heads = messages.map(
    ({ topic, key, headers, delayMs, lastsMs, body }): Head => ({
      topic,
      key: key?.toString('base64') ?? null,
      headers,
      delayMs,
      lastsMs,
      bytes: body.length,
    }),
  );
  const head = Buffer.from(JSON.stringify(heads));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...messages.map(({ body }) => body)]);
}

/** Null for what cannot be read. */
export function unpacked(bytes: Buffer): readonly HalfMessage[] | null {
  if (bytes.length < lengthBytes) return null;
  const bodiesFrom = lengthBytes + bytes.readUInt32BE(0);
  try {
    const heads = JSON.parse(bytes.toString('utf8', lengthBytes, bodiesFrom)) as readonly Head[];
    let at = bodiesFrom;
    return heads.map(({ topic, key, headers, delayMs, lastsMs, bytes: length }) => {
      const body = Buffer.from(bytes.subarray(at, at + length));
      at += length;
      return { topic, key: key === null ? null : Buffer.from(key, 'base64'), headers, delayMs, lastsMs, body };
    });
  } catch {
    return null;
  }
}

/** As they are appended; the same however often it is done. */
export function committedMessages(messages: readonly HalfMessage[], decidedMs: number): Message[] {
  return messages.map(({ topic, key, body, headers, delayMs, lastsMs }) => {
    const times: Record<string, string> = {};
    if (delayMs > 0) times[messageHeader.notBefore] = String(decidedMs + delayMs);
    if (lastsMs > 0) times[messageHeader.expires] = String(decidedMs + lastsMs);
    return { topic, key, body, headers: { ...headers, ...times } };
  });
}
