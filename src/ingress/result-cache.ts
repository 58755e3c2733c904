// Calls that may be answered as the same call of the same caller was answered not long before.
import type { IncomingHttpHeaders } from 'node:http';
import { Injectable } from '@nestjs/common';
import { type Message, messageHeader } from '../message/message.js';
import type { Reply } from '../message/reply.js';
import { Replies } from '../reply/replies.js';
import type { DoorReply } from './exchange.js';
import { digestOf } from './idempotency-key.js';

/** Of a call: for how many seconds its answer may be given again. Of an answer: hit or miss. */
export const cacheHeader = 'bigpipe-cache';
export const cacheForms = 'seconds from 1 to 86400, for a call that waits and has no idempotency key';
const longestS = 86_400;
/** Differ from call to call and change nothing of the answer. */
const notAsked: ReadonlySet<string> = new Set(
  ['traceparent', 'tracestate'].map((name) => messageHeader.forward + name),
);

/** Milliseconds, 0 for a call that asks for none; null for what is not allowed. */
export function cacheMsOf(headers: IncomingHttpHeaders, waitMs: number, hasOnceKey: boolean): number | null {
  const written = headers[cacheHeader];
  if (written === undefined) return 0;
  const seconds = typeof written === 'string' && /^\d{1,5}$/.test(written) ? Number(written) : 0;
  return seconds >= 1 && seconds <= longestS && waitMs > 0 && !hasOnceKey ? seconds * 1000 : null;
}

@Injectable()
export class ResultCache {
  constructor(private readonly replies: Replies) {}

  /**
   * What a call that is the same in all that its receiver sees was answered. Null: it has to be made, and its headers say now
   * that its answer may be kept.
   */
  async find(
    reply: DoorReply,
    message: Message,
    headers: Record<string, string>,
    ttlMs: number,
  ): Promise<Reply | null> {
    const key = keyOf(message);
    const found = await this.replies.findResult(key);
    reply.header(cacheHeader, found === null ? 'miss' : 'hit');
    if (found === null) {
      headers[messageHeader.cache] = `${key} ${ttlMs}`;
      return null;
    }
    reply.header('age', String(Math.floor(found.ageMs / 1000))).header(messageHeader.id, found.reply.id);
    return found.reply;
  }
}

function keyOf({ topic, headers, body }: Message): string {
  const { url, contentType, type, acl, forward } = messageHeader;
  const seen = Object.keys(headers)
    .filter((name) => name.startsWith(forward) && !notAsked.has(name))
    .sort()
    .flatMap((name) => [name, headers[name] as string]);
  const named = [acl, url, contentType, type].map((name) => headers[name] ?? '');
  return digestOf([topic, ...named, ...seen, body]).toString('base64url');
}
