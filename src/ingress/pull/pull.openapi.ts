// The doors for fetching in the OpenAPI document.

import { leaseFaults } from '../../target/mailbox/mailbox.js';
import { full, refused, throttled, unauthorized } from '../messages/messages.openapi.js';
import {
  eitherScheme,
  type Operation,
  type Parameter,
  type Piece,
  refTo,
  type Schema,
  text,
} from '../openapi/document.js';
import { idSchema } from '../openapi/shared-pieces.js';
import { longestLeaseS, mostLeases, mostMessages, usualMessages } from './pull-form.js';

const tags = ['pull'];
const time: Schema = { type: 'string', format: 'date-time' };
const group: Parameter = {
  name: 'group',
  in: 'path',
  required: true,
  description: 'A group of subscriptions with "delivery": "pull", which the caller may fetch from.',
  schema: { type: 'string', pattern: '^[A-Za-z0-9._-]{1,100}$' },
};
const leaseSeconds: Schema = {
  type: 'number',
  minimum: 0.1,
  maximum: longestLeaseS,
  description: 'From now on. The subscription’s timeout when absent.',
};
const leases: Schema = {
  type: 'array',
  items: { type: 'string', pattern: '^[0-9a-f-]{36}$' },
  minItems: 1,
  maxItems: mostLeases,
};

const pulledMessage: Schema = {
  type: 'object',
  required: ['lease', 'leaseUntil', 'id', 'topic', 'partition', 'offset', 'attempt', 'maxAttempts', 'data_base64'],
  additionalProperties: false,
  properties: {
    lease: text('What ack, nack and extend name it by.'),
    leaseUntil: time,
    id: idSchema,
    topic: { type: 'string' },
    partition: { type: 'integer' },
    offset: text('Where it was stored first. A text: it may pass what a JSON number holds.'),
    attempt: text('1 for the first time.', { type: 'integer' }),
    maxAttempts: { type: 'integer' },
    redelivery: text('Why it may be a repeat: how the attempt before it ended.'),
    storedAt: time,
    expires: time,
    type: { type: 'string' },
    url: { type: 'string' },
    key: { type: 'string' },
    key_base64: text('Of a key that is no text.'),
    content_type: { type: 'string' },
    headers: { type: 'object', additionalProperties: { type: 'string' } },
    data_base64: text('The body.', { contentEncoding: 'base64' }),
  },
};
const pulled: Schema = {
  type: 'object',
  required: ['messages'],
  additionalProperties: false,
  properties: { messages: { type: 'array', items: refTo('PulledMessage') } },
};
const leasesDone: Schema = {
  type: 'object',
  required: ['done'],
  additionalProperties: false,
  properties: {
    done: { type: 'integer', minimum: 1 },
    failed: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['lease', 'code', 'detail'],
        additionalProperties: false,
        properties: {
          lease: { type: 'string' },
          code: { enum: [...leaseFaults] },
          detail: { type: 'string' },
        },
      },
    },
  },
};

const body = (properties: Readonly<Record<string, Schema>>, required: readonly string[] = []) => ({
  required: required.length > 0,
  content: { 'application/json': { schema: { type: 'object', additionalProperties: false, required, properties } } },
});

const refusals = {
  400: refused('Something of it is wrong: errors has all of it.'),
  ...unauthorized,
  403: refused('The caller may not fetch from that group.'),
  404: refused('No subscription has that group.'),
  413: refused('It is too large.'),
};

const ofLeases = (operationId: string, summary: string, requestBody: Operation['requestBody']): Operation => ({
  operationId,
  summary,
  tags,
  security: eitherScheme,
  parameters: [group],
  ...(requestBody === undefined ? {} : { requestBody }),
  responses: {
    200: {
      description: 'Done with at least one of them; failed says with which it was not, and why.',
      content: { 'application/json': { schema: refTo('LeasesDone') } },
    },
    ...refusals,
    409: refused('None of them is the caller’s now, or nothing is fetched from that group.'),
    503: refused('The node that has them gives no answer.'),
  },
});

const path = (verb: string) => `/v1/subscriptions/{group}/${verb}`;

export const pullPiece: Piece = {
  paths: {
    [path('pull')]: {
      post: {
        operationId: 'pull',
        summary: 'Fetches messages of a group, each under a lease.',
        description:
          'What is ready at once, else what comes first within waitSeconds. Of one key one message is out at a time. A lease that ends without an ack is a failed attempt.',
        tags,
        security: eitherScheme,
        parameters: [group],
        requestBody: body({
          max: { type: 'integer', minimum: 1, maximum: mostMessages, default: usualMessages },
          waitSeconds: { type: 'number', minimum: 0, maximum: 3600, default: 0, description: 'At most pull.max.wait.' },
          leaseSeconds,
        }),
        responses: {
          200: { description: 'Or none.', content: { 'application/json': { schema: refTo('Pulled') } } },
          ...refusals,
          409: refused('The messages of that group are sent to their receivers.'),
          ...throttled,
          ...full,
        },
      },
    },
    [path('ack')]: { post: ofLeases('ack', 'Messages are done with.', body({ leases }, ['leases'])) },
    [path('nack')]: {
      post: ofLeases(
        'nack',
        'Messages could not be done: a failed attempt.',
        body(
          {
            leases,
            delaySeconds: {
              type: 'number',
              minimum: 0,
              maximum: 31_622_400,
              description: 'Until the next attempt; the subscription’s backoff when absent.',
            },
            reject: { type: 'boolean', description: 'No other attempt: they go to the dead letters.' },
            reason: { type: 'string', minLength: 1, maxLength: 1024 },
          },
          ['leases'],
        ),
      ),
    },
    [path('extend')]: {
      post: ofLeases(
        'extend',
        'More time, or less, for messages.',
        body({ leases, leaseSeconds }, ['leases', 'leaseSeconds']),
      ),
    },
  },
  schemas: { PulledMessage: pulledMessage, Pulled: pulled, LeasesDone: leasesDone },
};
