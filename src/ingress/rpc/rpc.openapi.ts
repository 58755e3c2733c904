// POST /rpc/call in the OpenAPI document.
import { type Piece, refTo, type Schema, text } from '../openapi/document.js';
import { delaySchema, idempotencyHeader, idSchema, momentSchema } from '../openapi/shared-pieces.js';

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
    id: idSchema,
    acks: { enum: [0, 1, -1, null] },
    delay: delaySchema,
    not_before: momentSchema,
    expires: momentSchema,
  },
};

const answer: Schema = {
  type: 'object',
  required: ['data', 'errno', 'msg'],
  additionalProperties: false,
  properties: { data: { const: '' }, errno: { enum: [0, -1, 1] }, msg: { type: 'string' } },
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
        parameters: [idempotencyHeader],
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
