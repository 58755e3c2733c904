// A message that another node has leased for a subscriber of this one: from the form that nodes answer in to the stream's.
import { timestampOf } from './moment-forms.js';
import type { DeliveryForm } from './protos.js';

/** As the door for fetching answers. */
export interface ForeignMessage {
  readonly lease: string;
  readonly leaseUntil: string;
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly redelivery?: string;
  readonly storedAt?: string;
  readonly expires?: string;
  readonly type?: string;
  readonly url?: string;
  readonly key?: string;
  readonly key_base64?: string;
  readonly content_type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly data_base64: string;
}

export function foreignMessages(answer: Buffer): readonly ForeignMessage[] {
  return (JSON.parse(answer.toString('utf8')) as { messages: readonly ForeignMessage[] }).messages;
}

export function foreignDelivery(message: ForeignMessage): DeliveryForm {
  const { lease, id, topic, partition, offset, attempt, expires } = message;
  const key = keyOf(message);
  return {
    lease,
    lease_until: momentOf(message.leaseUntil),
    id,
    topic,
    partition,
    offset,
    attempt,
    max_attempts: message.maxAttempts,
    redelivery: message.redelivery ?? '',
    stored_at: momentOf(message.storedAt),
    ...(expires === undefined ? {} : { expires_at: momentOf(expires) }),
    type: message.type ?? '',
    url: message.url ?? '',
    ...(key === null ? {} : { key }),
    content_type: message.content_type ?? '',
    headers: Object.entries(message.headers ?? {}).map(([name, value]) => ({ name, value })),
    body: Buffer.from(message.data_base64, 'base64'),
  };
}

const momentOf = (text: string | undefined) => timestampOf(text === undefined ? 0 : Date.parse(text));

function keyOf({ key, key_base64: bytes }: ForeignMessage): Buffer | null {
  if (bytes !== undefined) return Buffer.from(bytes, 'base64');
  return key === undefined ? null : Buffer.from(key);
}
