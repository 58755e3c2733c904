// What goes wrong on /v1, as RFC 9457 tells it: application/problem+json, with every fault and where it stands.
import { BigpipeError } from '../../message/errors.js';
import type { Throttle } from '../../message/quota.js';
import { challenge } from '../caller.js';
import type { DoorReply } from '../exchange.js';

/** Seconds after which a caller that was turned away may come back. */
const retryAfterS = 1;

/** One thing that is wrong with a request: at a JSON pointer into its body, or in a header. */
export interface Fault {
  readonly detail: string;
  readonly pointer?: string;
  readonly header?: string;
}

interface Kind {
  readonly status: number;
  readonly title: string;
  readonly type?: string;
  readonly isRetriable?: true;
}

const overloadedType = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';
const quotaType = 'https://iana.org/assignments/http-problem-types#quota-exceeded';
const full: Kind = { status: 503, title: 'Come back later', type: overloadedType, isRetriable: true };
const broken: Kind = { status: 500, title: 'bigpipe could not do it' };

/** By the `code` that a program looks at. */
const kinds = {
  'invalid-request': { status: 400, title: 'The request is wrong' },
  unauthorized: { status: 401, title: 'Who calls is not known' },
  forbidden: { status: 403, title: 'Not allowed' },
  'not-found': { status: 404, title: 'There is no such thing' },
  'unknown-group': { status: 404, title: 'There is no such group' },
  'method-not-allowed': { status: 405, title: 'No such method here' },
  'already-settled': { status: 409, title: 'Too late' },
  'already-decided': { status: 409, title: 'The transaction is decided otherwise' },
  'not-pulled': { status: 409, title: 'Nothing can be fetched there' },
  'lease-lost': { status: 409, title: 'Too late' },
  'idempotency-in-progress': { status: 409, title: 'The same call is being stored', isRetriable: true },
  'message-too-large': { status: 413, title: 'Too large' },
  'unsupported-media-type': { status: 415, title: 'This content type is not taken' },
  throttled: { status: 429, title: 'Too many calls', type: quotaType },
  'idempotency-mismatch': { status: 422, title: 'The idempotency key belongs to another call' },
  'not-delivered': { status: 502, title: 'The receiver gave no answer that can be shown' },
  'owner-unreachable': { status: 503, title: 'The node that has it gives no answer', isRetriable: true },
  'not-here': { status: 503, title: 'Not at this node', isRetriable: true },
  unavailable: full,
  overloaded: full,
  'storage-full': full,
  'storage-failed': full,
  closed: full,
  'storage-stopped': broken,
  'storage-damaged': broken,
  internal: broken,
} as const satisfies Record<string, Kind>;
export type ProblemCode = keyof typeof kinds;
export const problemCodes = Object.keys(kinds) as ProblemCode[];

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ProblemCode;
  readonly detail: string;
  readonly errors?: readonly Fault[];
  /** How a transaction stands that cannot be decided any more. */
  readonly state?: string;
}

export function problemOf(code: ProblemCode, detail: string, errors: readonly Fault[] = []): Problem {
  const { status, title, type = 'about:blank' }: Kind = kinds[code];
  return { type, title, status, code, detail, ...(errors.length === 0 ? {} : { errors }) };
}

/** What a BigpipeError, or anything else that was thrown, is to a caller. */
export function problemOfError(error: unknown): Problem {
  if (!(error instanceof BigpipeError)) return problemOf('internal', 'a fault of its own');
  const code = error.code in kinds ? (error.code as ProblemCode) : 'internal';
  return problemOf(code, code === 'internal' ? 'a fault of its own' : error.message);
}

/** True when the same request may succeed later. */
export function isRetriable({ code }: Problem): boolean {
  const kind: Kind = kinds[code];
  return kind.isRetriable === true;
}

export function sendProblem<Reply extends DoorReply>(reply: Reply, problem: Problem): Reply {
  if (problem.status === 401) reply.header('www-authenticate', challenge);
  if (isRetriable(problem)) reply.header('retry-after', retryAfterS);
  reply
    .status(problem.status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .send(JSON.stringify(problem));
  return reply;
}

/** 429, with what it says of when to come back. */
export function sendThrottled<Reply extends DoorReply>(reply: Reply, { headers }: Throttle): Reply {
  for (const [name, value] of Object.entries(headers)) reply.header(name, value);
  return sendProblem(reply, problemOf('throttled', 'this caller has used up its rate'));
}
