// The .proto files as the program reads them, and the shape that their messages have in it.
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';

/** Beside dist. */
const directory = fileURLToPath(new URL('../../../proto', import.meta.url));

export const packageName = 'bigpipe.v1';
export const serviceName = 'Bigpipe';

/** Absent fields stay absent, bytes are Buffers, 64-bit numbers texts. */
export const definition = loadSync('bigpipe/v1/bigpipe.proto', {
  keepCase: true,
  longs: String,
  enums: String,
  arrays: true,
  includeDirs: [directory],
});

/** A message's bytes, by its full name. */
export function serialize(name: string, message: object): Buffer {
  return Buffer.from((definition[name] as MessageTypeDefinition<object, object>).serialize(message));
}

/** google.protobuf.Duration. */
export interface DurationForm {
  readonly seconds?: string;
  readonly nanos?: number;
}

/** google.protobuf.Timestamp, from the start of 1970. */
export type TimestampForm = DurationForm;

export interface HeaderForm {
  readonly name?: string;
  readonly value?: string;
}

export interface MessageForm {
  readonly url?: string;
  readonly topic?: string;
  readonly type?: string;
  readonly key?: Buffer;
  readonly id?: string;
  readonly acks?: string;
  readonly delay?: DurationForm;
  readonly not_before?: TimestampForm;
  readonly expires_at?: TimestampForm;
  readonly expires_in?: DurationForm;
  readonly content_type?: string;
  readonly headers: readonly HeaderForm[];
  readonly idempotency_key?: string;
  readonly body?: Buffer;
  readonly callback_url?: string;
  readonly deliver_limit?: number;
}

/** PublishRequest and CallRequest. */
export interface MessageRequest {
  readonly message?: MessageForm;
}

export interface PublishResponse {
  readonly id: string;
  readonly durability: string;
  readonly replayed: boolean;
}

export interface PublishStreamRequest extends MessageRequest {
  readonly sequence?: string;
}

export interface PublishStreamResponse {
  readonly sequence: string;
  readonly published?: PublishResponse;
  readonly refused?: object;
}

export interface SubscribeRequest {
  readonly start?: { readonly group?: string; readonly lease?: DurationForm };
  readonly credits?: number;
  readonly acks: readonly string[];
  readonly nacks: readonly NackForm[];
  readonly heartbeat?: boolean;
}

interface NackForm {
  readonly lease?: string;
  readonly delay?: DurationForm;
  readonly reject?: boolean;
  readonly reason?: string;
}

export interface SubscribeResponse {
  readonly delivery?: DeliveryForm;
  readonly fault?: { readonly lease: string; readonly code: string; readonly detail: string };
}

export interface DeliveryForm {
  readonly lease: string;
  readonly lease_until: TimestampForm;
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly attempt: number;
  readonly max_attempts: number;
  readonly redelivery: string;
  readonly stored_at: TimestampForm;
  readonly expires_at?: TimestampForm;
  readonly type: string;
  readonly url: string;
  readonly key?: Buffer;
  readonly content_type: string;
  readonly headers: readonly HeaderForm[];
  readonly body: Buffer;
}

export interface CallResponse {
  readonly id: string;
  readonly status: number;
  readonly headers: readonly HeaderForm[];
  readonly body: Buffer;
}

export interface BeginTransactionRequest {
  readonly messages: readonly MessageForm[];
  readonly check_urls: readonly string[];
  readonly first_check_after?: DurationForm;
  readonly idempotency_key?: string;
}

export interface BeginTransactionResponse {
  readonly id: string;
  readonly durability: string;
  readonly replayed: boolean;
  readonly message_ids: readonly string[];
}

/** CommitTransactionRequest, RollBackTransactionRequest and GetTransactionRequest. */
export interface TransactionRequest {
  readonly id?: string;
}

/** What they are answered with. */
export interface TransactionResponse {
  readonly transaction: TransactionForm;
}

export interface TransactionForm {
  readonly id: string;
  readonly state: string;
  readonly created_at: TimestampForm;
  readonly messages: readonly {
    readonly id: string;
    readonly topic: string;
    readonly url: string;
    readonly key?: Buffer;
  }[];
  readonly checks: number;
  readonly check_urls: readonly string[];
  readonly next_check_at?: TimestampForm;
  readonly decided_by: string;
  readonly decided_at?: TimestampForm;
}
