// A message as whoever fetches it gets it: fields named as in the JSON form of a message, and what concerns his lease.
import { isUtf8 } from 'node:buffer';
import { maxAttemptsOf } from '../../message/delivery.js';
import { isHeldBack } from '../../message/held-back.js';
import { messageHeader } from '../../message/message.js';
import type { Lease } from '../../target/mailbox/lease.js';

const timeOf = (ms: number) => (ms === 0 ? undefined : new Date(ms).toISOString());

export function pulledMessage({ id: lease, untilMs, delivery }: Lease): object {
  const { source, origin, id, attempt, redelivery, expiresMs } = delivery;
  const { headers, body, key, timestampMs } = source;
  return {
    lease,
    leaseUntil: timeOf(untilMs),
    id,
    topic: origin.topic,
    partition: origin.partition,
    offset: `${origin.offset}`,
    attempt,
    maxAttempts: maxAttemptsOf(delivery),
    redelivery: redelivery ?? undefined,
    storedAt: timeOf(timestampMs),
    expires: timeOf(expiresMs),
    type: headers[messageHeader.type],
    url: headers[messageHeader.url],
    ...keyFields(key),
    content_type: headers[messageHeader.contentType],
    headers: forwardedOf(delivery.forwarded),
    data_base64: body.toString('base64'),
  };
}

/** As a text where it is one. */
function keyFields(key: Buffer | null): object {
  if (key === null) return {};
  return isUtf8(key) ? { key: key.toString('utf8') } : { key_base64: key.toString('base64') };
}

function forwardedOf(forwarded: readonly string[]): object | undefined {
  if (forwarded.length === 0) return undefined;
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i + 1 < forwarded.length; i += 2) {
    const name = forwarded[i] as string;
    if (!isHeldBack(name)) headers[name] = forwarded[i + 1] as string;
  }
  return headers;
}
