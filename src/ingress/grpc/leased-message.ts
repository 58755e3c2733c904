// A message as its subscriber gets it.
import { maxAttemptsOf } from '../../message/delivery.js';
import { isHeldBack } from '../../message/held-back.js';
import { messageHeader } from '../../message/message.js';
import type { Lease } from '../../target/mailbox/lease.js';
import { timestampOf } from './moment-forms.js';
import type { DeliveryForm, HeaderForm } from './protos.js';

export function leasedMessage({ id: lease, untilMs, delivery }: Lease): DeliveryForm {
  const { source, origin, id, attempt, redelivery, expiresMs } = delivery;
  const { headers, body, key, timestampMs } = source;
  return {
    lease,
    lease_until: timestampOf(untilMs),
    id,
    topic: origin.topic,
    partition: origin.partition,
    offset: `${origin.offset}`,
    attempt,
    max_attempts: maxAttemptsOf(delivery),
    redelivery: redelivery ?? '',
    stored_at: timestampOf(timestampMs),
    ...(expiresMs === 0 ? {} : { expires_at: timestampOf(expiresMs) }),
    type: headers[messageHeader.type] ?? '',
    url: headers[messageHeader.url] ?? '',
    ...(key === null ? {} : { key }),
    content_type: headers[messageHeader.contentType] ?? '',
    headers: forwardedOf(delivery.forwarded),
    body,
  };
}

function forwardedOf(forwarded: readonly string[]): HeaderForm[] {
  const headers: HeaderForm[] = [];
  for (let i = 0; i + 1 < forwarded.length; i += 2) {
    const name = forwarded[i] as string;
    if (!isHeldBack(name)) headers.push({ name, value: forwarded[i + 1] as string });
  }
  return headers;
}
