// The doors of /v1 in the OpenAPI document.
import {
  type Answer,
  type Content,
  eitherScheme,
  header,
  type Parameter,
  type Piece,
  refTo,
  type Schema,
  text,
} from '../openapi/document.js';
import {
  cacheParameter,
  callbackHeader,
  challenged,
  delaySchema,
  deliverLimitHeader,
  deliverLimitSchema,
  durabilitySchema,
  expirySchema,
  idempotencyHeader,
  idHeader,
  idSchema,
  momentSchema,
  retryAfter,
  storedHeaders,
  timeHeaders,
} from '../openapi/shared-pieces.js';
import { batchPath, linesType } from './batch.door.js';
import { structuredType } from './cloud-event.js';
import { jsonType } from './json-form.js';
import { deliveryStates } from './message-state.js';
import { messagesPath } from './messages.door.js';
import { problemCodes } from './problem.js';

const tags = ['messages'];

const message: Schema = {
  type: 'object',
  additionalProperties: false,
  anyOf: [{ required: ['url'] }, { required: ['topic'] }],
  properties: {
    url: text('Where to deliver: http or https, or grpc(s)://host:port/package.Service/Method, without credentials.', {
      format: 'uri',
      pattern: '^https?://',
      maxLength: 8192,
    }),
    topic: text('The caller’s own when absent. Without a url the subscription’s receiver gets it.', {
      pattern: '^[A-Za-z0-9._-]{1,100}$',
    }),
    type: text('The finer label within a topic.', { pattern: '^[!-~]{1,256}$' }),
    key: text('Messages of one key to one destination are delivered in order.'),
    id: idSchema,
    acks: { type: 'integer', enum: [0, 1, -1] },
    delay: { anyOf: [delaySchema, { type: 'integer', minimum: 0, maximum: 31_622_400 }] },
    not_before: momentSchema,
    expires: expirySchema,
    content_type: text('The receiver’s content-type.', { pattern: '^[!-~]{1,200}$' }),
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      maxProperties: 50,
      description: 'Sent to the receiver.',
    },
    data: { description: 'The body: a text as it is, everything else as JSON.' },
    data_base64: text('The body’s bytes. Not beside data.', {
      contentEncoding: 'base64',
      pattern: '^([A-Za-z0-9+/]{4})*$',
    }),
    callback_url: text('The receiver’s answer is delivered there, as a message of its own.', {
      format: 'uri',
      pattern: '^https?://',
      maxLength: 8192,
    }),
    deliver_limit: deliverLimitSchema,
    idempotency_key: text('As Idempotency-Key.', { pattern: '^[A-Za-z0-9_-]{1,255}$' }),
  },
};

const stored: Schema = {
  type: 'object',
  required: ['id', 'durability'],
  additionalProperties: false,
  properties: { id: idSchema, durability: durabilitySchema },
};

const fault: Schema = {
  type: 'object',
  required: ['detail'],
  additionalProperties: false,
  properties: {
    detail: { type: 'string' },
    pointer: text('A JSON pointer (RFC 6901) into the body, as the fragment of a URI.'),
    header: text('The name of a header.'),
  },
};

const problem: Schema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail'],
  additionalProperties: false,
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer', minimum: 400, maximum: 599 },
    code: { type: 'string', enum: problemCodes },
    detail: { type: 'string' },
    errors: { type: 'array', items: refTo('Fault'), minItems: 1 },
    state: text('How a transaction stands that is decided otherwise.'),
  },
};

const time: Schema = { type: 'string', format: 'date-time' };
const wait: Schema = {
  type: 'object',
  required: ['reason', 'until'],
  additionalProperties: false,
  properties: { reason: { type: 'string' }, until: { type: ['string', 'null'] } },
};
const letter: Schema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    reason: { type: 'string' },
    detail: { type: 'string' },
    status: text('Of the last answer, 0 for none.', { type: 'integer' }),
    attempts: { type: 'integer' },
    firstAttempt: time,
    lastAttempt: time,
  },
};
const delivery: Schema = {
  type: 'object',
  required: ['subscription', 'state'],
  additionalProperties: false,
  properties: {
    subscription: { type: 'string' },
    state: {
      enum: deliveryStates,
      description:
        'settled: delivered, or dropped after it was cancelled. unknown: delivered, waiting on disk, or with another node.',
    },
    attempt: text('The one under way, or the next.', { type: 'integer' }),
    maxAttempts: { type: 'integer' },
    since: time,
    waitingFor: { type: 'array', items: wait },
    estimate: { type: ['string', 'null'] },
    deadLetter: letter,
  },
};
const state: Schema = {
  type: 'object',
  required: ['id', 'cancelled', 'deliveries'],
  additionalProperties: false,
  properties: {
    id: idSchema,
    topic: { type: 'string' },
    url: { type: 'string' },
    type: { type: 'string' },
    key: { type: 'string' },
    acceptedAt: time,
    notBefore: time,
    expires: time,
    cancelled: { type: 'boolean' },
    deliveries: { type: 'array', items: delivery },
  },
};
const lineAnswer: Schema = {
  anyOf: [
    {
      type: 'object',
      required: ['status', 'id', 'location', 'durability'],
      additionalProperties: false,
      properties: {
        status: { const: 202 },
        id: idSchema,
        location: { type: 'string' },
        durability: durabilitySchema,
        replayed: { const: true },
      },
    },
    refTo('Problem'),
  ],
};
const event: Schema = {
  type: 'object',
  required: ['specversion', 'id', 'source', 'type'],
  properties: {
    specversion: { const: '1.0' },
    id: { type: 'string', minLength: 1, maxLength: 100 },
    source: { type: 'string', minLength: 1, maxLength: 100 },
    type: { type: 'string', pattern: '^[!-~]{1,100}$' },
    datacontenttype: { const: 'application/json' },
    data: {},
  },
  additionalProperties: false,
};

const problemContent: Record<string, Content> = { 'application/problem+json': { schema: refTo('Problem') } };
export const refused = (description: string, headers: Answer['headers'] = {}): Answer => ({
  description,
  headers,
  content: problemContent,
});

const receivers: Answer = {
  description: 'With bigpipe-reply: answered, what the receiver answered: its status, its body, some of its headers.',
  headers: { 'bigpipe-reply': { description: 'Whose answer it is.', schema: { const: 'answered' }, required: true } },
};
const gone = {
  502: refused('It was given up, or the answer cannot be shown.', {
    'bigpipe-reply': { description: 'Whose answer it is.', schema: { const: 'failed' }, required: true },
  }),
};

export const unauthorized = { 401: refused('Who calls is not known.', challenged) };
export const throttled = { 429: refused('The caller has used up its rate.', retryAfter) };
export const broken = { 500: refused('bigpipe could not do it.') };
export const full = { 503: refused('bigpipe is full.', retryAfter) };

const fieldHeaders: readonly Parameter[] = [
  header('bigpipe-url', 'Where to deliver.', { type: 'string', format: 'uri', pattern: '^https?://' }),
  header('bigpipe-topic', 'The caller’s own when absent.', { type: 'string', pattern: '^[A-Za-z0-9._-]{1,100}$' }),
  header('bigpipe-type', 'The finer label within a topic.', { type: 'string', pattern: '^[!-~]{1,256}$' }),
  header('bigpipe-key', 'Messages of one key to one destination are delivered in order.', { type: 'string' }),
  header('bigpipe-acks', 'How strong the answer must be.', { type: 'string', enum: ['0', '1', '-1'] }),
  ...timeHeaders,
  idHeader,
  idempotencyHeader,
  callbackHeader,
  cacheParameter,
  deliverLimitHeader,
  header('bigpipe-forward-x-example', 'Any header bigpipe-forward-NAME is sent to the receiver as NAME.', {
    type: 'string',
  }),
  header('Prefer', 'wait=N: the receiver’s answer is the answer, if it comes within N seconds.', {
    type: 'string',
    examples: ['wait=10', 'respond-async'],
  }),
  header('traceparent', 'Goes along to the receiver, with tracestate.', { type: 'string' }),
];

const idParameter: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The message’s.',
  schema: idSchema,
};

export const messagesPiece: Piece = {
  paths: {
    [messagesPath]: {
      post: {
        operationId: 'sendMessage',
        summary: 'Hands over one message.',
        description: `A body of any type with its fields in headers; ${jsonType} with its fields in JSON (then in no header, save Idempotency-Key); a CloudEvent, binary or structured.`,
        tags,
        security: eitherScheme,
        parameters: fieldHeaders,
        requestBody: {
          required: false,
          content: {
            'application/octet-stream': { schema: { type: 'string', format: 'binary' } },
            [jsonType]: { schema: refTo('Message') },
            [structuredType]: { schema: refTo('CloudEvent') },
          },
        },
        responses: {
          202: {
            description: 'It is stored, and will be delivered.',
            headers: {
              location: { description: 'Where to ask for it.', schema: { type: 'string' }, required: true },
              'preference-applied': { description: 'Of Prefer.', schema: { const: 'respond-async' } },
              ...storedHeaders,
            },
            content: { 'application/json': { schema: refTo('Stored') } },
          },
          400: refused('Something of it is wrong: errors has all of it.'),
          ...unauthorized,
          403: refused('The caller may not write to that topic, or not call that URL.'),
          409: refused('The same call is being stored.', retryAfter),
          413: refused('It is too large.'),
          415: refused('CloudEvents in a batch are not taken.'),
          422: refused('The idempotency key belongs to another call.'),
          ...throttled,
          ...broken,
          ...gone,
          ...full,
          default: receivers,
        },
      },
    },
    [batchPath]: {
      post: {
        operationId: 'sendMessages',
        summary: 'Hands over many messages: a JSON object a line.',
        description:
          'Each line is answered by itself, in the same order; what is right is stored beside what is wrong.',
        tags,
        security: eitherScheme,
        requestBody: { required: true, content: { [linesType]: { schema: text('Lines, each a Message.') } } },
        responses: {
          200: {
            description: 'A line for each: what 202 would have said, or a problem.',
            content: { [linesType]: { schema: text('Lines, each a LineAnswer.') } },
          },
          400: refused('There is no line, or a field stands in a header.'),
          ...unauthorized,
          413: refused('It is too large, or has too many lines.'),
          415: refused(`${linesType} is needed.`),
          ...throttled,
        },
      },
    },
    [`${messagesPath}/{id}`]: {
      get: {
        operationId: 'getMessage',
        summary: 'Where a message is, in each subscription.',
        description: 'Only who sent it is told. Found for as long as the log keeps it.',
        tags,
        security: eitherScheme,
        parameters: [idParameter],
        responses: {
          400: refused('The id cannot be read.'),
          200: { description: 'What is known.', content: { 'application/json': { schema: refTo('MessageState') } } },
          ...unauthorized,
          404: refused('This caller has sent no such message, or it is too long ago.'),
          ...throttled,
          ...full,
        },
      },
      delete: {
        operationId: 'cancelMessage',
        summary: 'Cancels what has not been sent.',
        description: 'What is under way goes on; no attempt begins any more. It is no dead letter.',
        tags,
        security: eitherScheme,
        parameters: [idParameter],
        responses: {
          400: refused('The id cannot be read.'),
          200: { description: 'From now on.', content: { 'application/json': { schema: refTo('MessageState') } } },
          ...unauthorized,
          404: refused('This caller has sent no such message, or it is too long ago.'),
          409: refused('It is delivered, or a dead letter, in every subscription.'),
          ...throttled,
          ...broken,
          ...full,
        },
      },
    },
    [`${messagesPath}/{id}/reply`]: {
      get: {
        operationId: 'getReply',
        summary: 'What the receiver answered.',
        description:
          'Of a message that somebody waited for, or waits for now; kept for reply.ttl. Only who sent it is told.',
        tags,
        security: eitherScheme,
        parameters: [
          idParameter,
          {
            name: 'wait',
            in: 'query',
            description: 'Seconds to wait for it.',
            schema: { type: 'integer', minimum: 0, maximum: 3600 },
          },
        ],
        responses: {
          400: refused('The id, or the wait, cannot be read.'),
          ...unauthorized,
          404: refused('No reply is kept, and none came in time.'),
          ...throttled,
          ...gone,
          ...full,
          default: receivers,
        },
      },
    },
  },
  schemas: {
    Message: message,
    CloudEvent: event,
    Stored: stored,
    Problem: problem,
    Fault: fault,
    MessageState: state,
    LineAnswer: lineAnswer,
  },
};
