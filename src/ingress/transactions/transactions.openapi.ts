// The doors of /v1/transactions in the OpenAPI document.
import { broken, full, refused, throttled, unauthorized } from '../messages/messages.openapi.js';
import {
  eitherScheme,
  type Operation,
  type Parameter,
  type Piece,
  refTo,
  type Schema,
  text,
} from '../openapi/document.js';
import { durabilitySchema, idempotencyHeader, idSchema, retryAfter, storedHeaders } from '../openapi/shared-pieces.js';
import { transactionStates } from './transaction-answer.js';
import { maxCheckUrls, maxMessages } from './transaction-draft.js';
import { transactionsPath } from './transactions.door.js';

const tags = ['transactions'];
const checkUrl = text('Where its producer is asked what became of it.', {
  format: 'uri',
  pattern: '^https?://',
  maxLength: 8192,
});

const form: Schema = {
  type: 'object',
  required: ['messages', 'checkUrl'],
  additionalProperties: false,
  properties: {
    messages: {
      type: 'array',
      items: refTo('Message'),
      minItems: 1,
      maxItems: maxMessages,
      description: 'Without acks and idempotency_key. A delay counts from the commit.',
    },
    checkUrl: {
      anyOf: [checkUrl, { type: 'array', items: checkUrl, minItems: 1, maxItems: maxCheckUrls }],
      description: 'May be left out by a caller that has addresses registered.',
    },
    firstCheckAfter: text('It is not asked about before.', { pattern: '^[0-9]{1,4}(ms|s|m)?$' }),
  },
};

const messageIds: Schema = {
  type: 'array',
  items: { type: 'object', required: ['id'], properties: { id: idSchema } },
};

const begun: Schema = {
  type: 'object',
  required: ['id', 'durability', 'messages'],
  additionalProperties: false,
  properties: { id: idSchema, durability: durabilitySchema, messages: messageIds },
};

const dateTime: Schema = { type: 'string', format: 'date-time' };
const shown: Schema = {
  type: 'object',
  required: ['id', 'state', 'createdAt', 'ageSeconds', 'messages'],
  additionalProperties: false,
  properties: {
    id: idSchema,
    state: { type: 'string', enum: transactionStates },
    createdAt: dateTime,
    ageSeconds: { type: 'integer', minimum: 0 },
    checks: { type: 'integer', minimum: 0 },
    checkUrl: { type: 'array', items: { type: 'string' } },
    nextCheckAt: dateTime,
    decidedBy: { type: 'string', enum: ['producer', 'check', 'operator', 'ttl'] },
    decidedAt: dateTime,
    messages: messageIds,
  },
};

const idParameter: Parameter = {
  name: 'id',
  in: 'path',
  required: true,
  description: 'The transaction’s.',
  schema: idSchema,
};
const stands = { description: 'How it stands.', content: { 'application/json': { schema: refTo('Transaction') } } };
const unknown = { 404: refused('This caller has begun no such transaction, or it is decided too long ago.') };

const decision = (operationId: string, summary: string, description: string): Operation => ({
  operationId,
  summary,
  description,
  tags,
  security: eitherScheme,
  parameters: [idParameter],
  responses: {
    200: stands,
    400: refused('The id cannot be read, or somebody wants to wait for a receiver.'),
    ...unauthorized,
    ...unknown,
    409: refused('It is decided otherwise: state says how.'),
    ...throttled,
    ...broken,
    ...full,
  },
});

export const transactionsPiece: Piece = {
  paths: {
    [transactionsPath]: {
      post: {
        operationId: 'beginTransaction',
        summary: 'Stores messages that nobody sees until they are committed.',
        tags,
        security: eitherScheme,
        parameters: [idempotencyHeader],
        requestBody: { required: true, content: { 'application/json': { schema: refTo('NewTransaction') } } },
        responses: {
          201: {
            description: 'They are stored.',
            headers: {
              location: { description: 'Where it is to be found.', schema: { type: 'string' }, required: true },
              'bigpipe-durability': storedHeaders['bigpipe-durability'],
            },
            content: { 'application/json': { schema: refTo('BegunTransaction') } },
          },
          400: refused('Something of it is wrong.'),
          ...unauthorized,
          403: refused('The caller may not send it, or have that address asked.'),
          404: refused('Transactions are switched off.'),
          409: refused('The same call is being stored.', retryAfter),
          413: refused('It is too large.'),
          415: refused('JSON is needed.'),
          422: refused('The idempotency key belongs to another call.'),
          ...throttled,
          ...broken,
          ...full,
        },
      },
    },
    [`${transactionsPath}/{id}`]: {
      get: {
        operationId: 'getTransaction',
        summary: 'How a transaction stands.',
        tags,
        security: eitherScheme,
        parameters: [idParameter],
        responses: {
          200: stands,
          400: refused('The id cannot be read.'),
          ...unauthorized,
          ...unknown,
          ...throttled,
          ...broken,
          ...full,
        },
      },
    },
    [`${transactionsPath}/{id}/commit`]: {
      post: decision(
        'commitTransaction',
        'Its messages are sent.',
        'Answered once the last of them is stored. The same again is answered as before.',
      ),
    },
    [`${transactionsPath}/{id}/rollback`]: {
      post: decision('rollBackTransaction', 'Its messages are gone.', 'The same again is answered as before.'),
    },
  },
  schemas: { NewTransaction: form, BegunTransaction: begun, Transaction: shown },
};
