// What goes wrong over gRPC: the status of each kind, and its details as google.rpc has them.
import { Metadata, status } from '@grpc/grpc-js';
import { RpcException } from '@nestjs/microservices';
import { isRetriable, type Problem, type ProblemCode } from '../messages/problem.js';
import { serialize } from './protos.js';

/** Seconds after which a caller that was turned away may come back. */
const retryAfterS = 1;
/** Trailers are short: many clients take 8 KiB of them. */
const maxViolations = 10;
const longestField = 100;
const longestText = 400;

const grpcStatus = {
  'invalid-request': status.INVALID_ARGUMENT,
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  'not-found': status.NOT_FOUND,
  'unknown-group': status.NOT_FOUND,
  'method-not-allowed': status.UNIMPLEMENTED,
  'not-pulled': status.FAILED_PRECONDITION,
  'lease-lost': status.FAILED_PRECONDITION,
  'not-here': status.UNAVAILABLE,
  'owner-unreachable': status.UNAVAILABLE,
  'already-settled': status.FAILED_PRECONDITION,
  'already-decided': status.FAILED_PRECONDITION,
  'idempotency-in-progress': status.ABORTED,
  'message-too-large': status.INVALID_ARGUMENT,
  'unsupported-media-type': status.INVALID_ARGUMENT,
  throttled: status.RESOURCE_EXHAUSTED,
  'idempotency-mismatch': status.FAILED_PRECONDITION,
  // It stands as a dead letter: sending it again makes sense only once its receiver is mended.
  'not-delivered': status.FAILED_PRECONDITION,
  unavailable: status.UNAVAILABLE,
  overloaded: status.RESOURCE_EXHAUSTED,
  'storage-full': status.RESOURCE_EXHAUSTED,
  'storage-failed': status.UNAVAILABLE,
  closed: status.UNAVAILABLE,
  'storage-stopped': status.INTERNAL,
  'storage-damaged': status.INTERNAL,
  internal: status.INTERNAL,
} as const satisfies Record<ProblemCode, status>;

/** google.rpc.Status; its details are google.protobuf.Any. */
export interface StatusForm {
  readonly code: status;
  readonly message: string;
  readonly details: readonly { readonly type_url: string; readonly value: Buffer }[];
}

/** What a handler throws, or a stream ends with: callback and `error` take it as it is. */
export interface StatusError {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** `afterS`: when to come back, where the problem knows better than we do. */
export function statusOf(problem: Problem, afterS = isRetriable(problem) ? retryAfterS : null): StatusForm {
  const { code, detail, state, errors = [] } = problem;
  const violations = errors.slice(0, maxViolations).map(({ pointer, header, detail: description }) => ({
    field: shortened(pointer ?? header ?? '', longestField),
    description: shortened(description, longestText),
  }));
  const [first] = violations;
  const message = first === undefined ? detail : `${detail}; ${first.field}: ${first.description}`;
  return {
    code: grpcStatus[code],
    message: shortened(message, 2 * longestText).toWellFormed(),
    details: [
      detailOf('ErrorInfo', {
        reason: code.toUpperCase().replaceAll('-', '_'),
        domain: 'bigpipe',
        ...(state === undefined ? {} : { metadata: { state } }),
      }),
      ...(violations.length === 0 ? [] : [detailOf('BadRequest', { field_violations: violations })]),
      ...(afterS === null ? [] : [detailOf('RetryInfo', { retry_delay: { seconds: afterS } })]),
    ],
  };
}

export function errorOf(problem: Problem, afterS?: number): StatusError {
  const form = statusOf(problem, afterS);
  return { code: form.code, details: form.message, metadata: metadataOf(form) };
}

/** To be thrown by a handler of one request. */
export const refusalOf = (problem: Problem, afterS?: number) => new RpcException(errorOf(problem, afterS));

/** The time is over, and nothing else is known: what was asked for goes on. */
export const deadlineExceeded = (detail: string) =>
  new RpcException({ code: status.DEADLINE_EXCEEDED, details: detail, metadata: new Metadata() });

function metadataOf(form: StatusForm): Metadata {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', serialize('google.rpc.Status', form));
  return metadata;
}

function detailOf(name: 'ErrorInfo' | 'BadRequest' | 'RetryInfo', message: object): StatusForm['details'][number] {
  return { type_url: `type.googleapis.com/google.rpc.${name}`, value: serialize(`google.rpc.${name}`, message) };
}

const shortened = (text: string, longest: number) => (text.length > longest ? `${text.slice(0, longest)}...` : text);
