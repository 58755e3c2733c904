// POST /rpc/call in the OpenAPI document.
import { type Piece, refTo, type Schema, text } from '../openapi/document.js';
import {
  cacheParameter,
  delaySchema,
  deliverLimitSchema,
  idempotencyHeader,
  idSchema,
  momentSchema,
} from '../openapi/shared-pieces.js';

const call: Schema = {
  type: 'object',
  required: ['acl', 'url', 'data', 'partition_key'],
  properties: {
    acl: {
      type: 'object',
      required: ['name', 'secret'],
      properties: { name: { type: 'string' }, secret: { type: 'string' } },
    },
    url: text('Where to deliver.', { format: 'uri' }),
    data: text('The body that the receiver gets.'),
    partition_key: text('Calls of one key to one destination are delivered in order; empty for no order.'),
    headers: { type: ['object', 'null'], additionalProperties: { type: 'string' }, maxProperties: 50 },
    content_type: { type: ['string', 'null'] },
    type: text('The finer label within the topic.', { type: ['string', 'null'], pattern: '^[!-~]{1,256}$' }),
    id: idSchema,
    acks: { enum: [0, 1, -1, null] },
    delay: delaySchema,
    not_before: momentSchema,
    expires: momentSchema,
    callback_url: text('The receiver’s answer is delivered there.', { type: ['string', 'null'], format: 'uri' }),
    deliver_limit: deliverLimitSchema,
    wait: text('Seconds to wait for the receiver’s answer.', { type: 'number', minimum: 0, maximum: 3600 }),
  },
};

const answer: Schema = {
  type: 'object',
  required: ['data', 'errno', 'msg'],
  additionalProperties: false,
  properties: {
    data: text('What the receiver answered, for one that waited; else empty.'),
    errno: { enum: [0, -1, 1] },
    msg: { type: 'string' },
    reply: {
      type: 'object',
      required: ['status'],
      additionalProperties: false,
      properties: {
        status: text('Of the receiver, 0 for none.', { type: 'integer' }),
        headers: { type: 'object', additionalProperties: { type: 'string' } },
        encoding: text('How data has its bytes.', { enum: ['utf-8', 'base64'] }),
        detail: text('Why there is no answer to show.'),
      },
    },
  },
};

const answerContent = { 'application/json': { schema: refTo('RpcAnswer') } };

export const rpcPiece: Piece = {
  paths: {
    '/rpc/call': {
      post: {
        operationId: 'rpcCall',
        summary: 'Hands over a call, as the original bigpipe has it.',
        description: 'The answer is always 200; errno says what became of it: 0 stored, -1 refused, 1 not stored.',
        tags: ['rpc'],
        security: [],
        parameters: [idempotencyHeader, cacheParameter],
        requestBody: { required: true, content: { 'application/json': { schema: refTo('RpcCall') } } },
        responses: {
          200: { description: 'errno says what became of it.', content: answerContent },
          413: { description: 'The body is too large.', content: answerContent },
        },
      },
    },
  },
  schemas: { RpcCall: call, RpcAnswer: answer },
};
