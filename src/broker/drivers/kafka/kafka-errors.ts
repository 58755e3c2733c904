// What went wrong at Kafka: its errors told apart by what helps against them, and turned into ours.
import { BigpipeError, type ErrorCode, textOf } from '../../../message/errors.js';

interface ForeignError {
  readonly name?: string;
  readonly type?: string;
  readonly cause?: unknown;
  readonly errors?: readonly ForeignError[];
  readonly broker?: string;
}

/** fenced: the group has gone on without us. rejoin: a rebalance is under way. coordinator: ask who it is now. */
export type Remedy = 'fenced' | 'rejoin' | 'coordinator' | 'too-large' | 'sequence' | 'none' | 'retry';

const remedies: Readonly<Record<string, Remedy>> = {
  UNKNOWN_MEMBER_ID: 'fenced',
  ILLEGAL_GENERATION: 'fenced',
  FENCED_INSTANCE_ID: 'fenced',
  REBALANCE_IN_PROGRESS: 'rejoin',
  NOT_COORDINATOR_FOR_GROUP: 'coordinator',
  GROUP_COORDINATOR_NOT_AVAILABLE: 'coordinator',
  GROUP_LOAD_IN_PROGRESS: 'coordinator',
  MESSAGE_TOO_LARGE: 'too-large',
  RECORD_LIST_TOO_LARGE: 'too-large',
  OFFSET_METADATA_TOO_LARGE: 'too-large',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'sequence',
  DUPLICATE_SEQUENCE_NUMBER: 'sequence',
  UNKNOWN_PRODUCER_ID: 'sequence',
  INVALID_PRODUCER_EPOCH: 'sequence',
  INVALID_PRODUCER_ID_MAPPING: 'sequence',
  TOPIC_AUTHORIZATION_FAILED: 'none',
  CLUSTER_AUTHORIZATION_FAILED: 'none',
  INVALID_TOPIC_EXCEPTION: 'none',
  INVALID_RECORD: 'none',
  INVALID_TIMESTAMP: 'none',
  INVALID_REQUIRED_ACKS: 'none',
  UNSUPPORTED_COMPRESSION_TYPE: 'none',
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 'none',
  POLICY_VIOLATION: 'none',
  INVALID_REPLICATION_FACTOR: 'none',
  INVALID_CONFIG: 'none',
};

const codes: Readonly<Record<string, ErrorCode>> = {
  MESSAGE_TOO_LARGE: 'message-too-large',
  RECORD_LIST_TOO_LARGE: 'message-too-large',
  OFFSET_METADATA_TOO_LARGE: 'message-too-large',
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown-topic',
};

/** kafkajs wraps what it has tried several times, and what it asked for several topics at once. */
function innermost(error: unknown): ForeignError {
  let inner = (error as ForeignError)?.errors?.[0] ?? (error as ForeignError);
  while (inner?.type === undefined && inner?.cause instanceof Error) inner = inner.cause as ForeignError;
  return inner ?? {};
}

/** The protocol's name of the error, or the name of its class. */
export function typeOf(error: unknown): string {
  const { type, name } = innermost(error);
  return type ?? name ?? 'unknown';
}

export function remedyFor(error: unknown): Remedy {
  return remedies[typeOf(error)] ?? 'retry';
}

/** True for a connection that broke or could not be made, and for an answer that did not come. */
export function isConnectionLost(error: unknown): boolean {
  const { name = '' } = innermost(error);
  return /^KafkaJS(Connection|RequestTimeout|BrokerNotFound|LockTimeout|GroupCoordinatorNotFound)/.test(name);
}

/** host:port of the node that did not answer, or whose connection broke; null when the error names none. */
export function addressOf(error: unknown): { readonly host: string; readonly port: number } | null {
  const { broker } = innermost(error);
  const parts = /^(.+):(\d+)$/.exec(broker ?? '');
  return parts === null || !isConnectionLost(error) ? null : { host: parts[1] as string, port: Number(parts[2]) };
}

export function asBigpipeError(error: unknown, what: string): BigpipeError {
  if (error instanceof BigpipeError) return error;
  return new BigpipeError(codes[typeOf(error)] ?? 'storage-failed', `Kafka: ${what}: ${textOf(error)}`, {
    cause: error,
  });
}
