// What a receiver's answer becomes that is to be delivered elsewhere: a message of its own, to the same group.
import { hash } from 'node:crypto';
import type { Delivery } from '../../message/delivery.js';
import { type Message, type MessageHeaders, messageHeader } from '../../message/message.js';
import type { ReceivedAnswer } from '../../message/reply.js';
import { putTrace, storedTrace } from '../../message/trace-context.js';

/** How a delivery ended: the receiver's answer, or why there is none to show. */
export type Ending = ReceivedAnswer | { readonly status: number; readonly detail: string };

/**
 * Stands in the topic of the message that was answered, in its key's partition. The same ending of the same message has the
 * same id, so that what a crash repeats can be told from what is new.
 */
export function callbackOf(
  { id, source, origin, attemptTrace }: Delivery,
  callbackUrl: string,
  groupId: string,
  ending: Ending,
): Message {
  const kind = 'detail' in ending ? 'failed' : 'answered';
  const headers: Record<string, string> = {
    [messageHeader.id]: idOf([id, groupId, kind, String(ending.status)]),
    [messageHeader.url]: callbackUrl,
    [messageHeader.callbackOf]: id,
    [messageHeader.replyKind]: kind,
    [messageHeader.replyStatus]: String(ending.status),
    [messageHeader.onlyGroup]: groupId,
  };
  const caller = source.headers[messageHeader.acl];
  if (caller !== undefined) headers[messageHeader.acl] = caller;
  const trace = attemptTrace ?? storedTrace(source.headers);
  if (trace !== null) putTrace(headers, trace);
  const { topic } = origin;
  if ('detail' in ending) {
    headers[messageHeader.contentType] = 'application/problem+json';
    const { status, detail } = ending;
    const body = Buffer.from(
      JSON.stringify({ title: 'not delivered', code: 'not-delivered', detail, receiver: status }),
    );
    return { topic, key: source.key, body, headers };
  }
  addAnswerHeaders(headers, ending.headers);
  return { topic, key: source.key, body: ending.body, headers };
}

function addAnswerHeaders(headers: Record<string, string>, answered: MessageHeaders): void {
  for (const [name, value] of Object.entries(answered)) {
    if (name === 'content-type') headers[messageHeader.contentType] = value;
    else headers[messageHeader.forward + name] = value;
  }
}

function idOf(parts: readonly string[]): string {
  return `cb_${hash('sha256', JSON.stringify(parts), 'base64url').slice(0, 26)}`;
}
