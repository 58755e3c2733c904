// POST /commit in the OpenAPI document.
import { header, type Piece, type Schema } from '../openapi/document.js';
import {
  callbackHeader,
  challenged,
  deliverLimitHeader,
  idempotencyHeader,
  idHeader,
  retryAfter,
  storedHeaders,
  timeHeaders,
} from '../openapi/shared-pieces.js';

const why = { 'bigpipe-error': { description: 'Why, for people.', schema: { type: 'string' } } };
const bytes: Schema = { type: 'string', format: 'binary', minLength: 1 };

export const commitPiece: Piece = {
  paths: {
    '/commit': {
      post: {
        operationId: 'commit',
        summary: 'Stores a body in a topic, its bytes untouched.',
        description:
          'As kproxy had it: every answer is a status and no body. Topics of commit.open.topics need no name.',
        tags: ['commit'],
        security: [{}, { basic: [] }, { bearer: [] }],
        parameters: [
          {
            name: 'topic',
            in: 'query',
            required: true,
            description: 'Where it goes.',
            schema: { type: 'string', minLength: 1 },
          },
          {
            name: 'type',
            in: 'query',
            description: 'The finer label within the topic.',
            schema: { type: 'string', pattern: '^[!-~]{1,256}$' },
          },
          { name: 'key', in: 'query', description: 'Calls of one key keep their order.', schema: { type: 'string' } },
          {
            name: 'acks',
            in: 'query',
            description: 'How strong the answer must be.',
            schema: { type: 'string', enum: ['0', '1', '-1'] },
          },
          ...timeHeaders,
          idHeader,
          idempotencyHeader,
          callbackHeader,
          deliverLimitHeader,
          header('bigpipe-forward-x-example', 'Any header bigpipe-forward-NAME is sent to the receiver as NAME.', {
            type: 'string',
          }),
        ],
        requestBody: { required: true, content: { 'application/octet-stream': { schema: bytes } } },
        responses: {
          200: { description: 'It is stored.', headers: storedHeaders },
          400: { description: 'No body, no topic, or something of it is wrong.', headers: why },
          401: { description: 'Who calls is not known.', headers: { ...why, ...challenged } },
          403: { description: 'The topic is not allowed, or not there.', headers: why },
          409: { description: 'The same call is being stored.', headers: { ...why, ...retryAfter } },
          413: { description: 'The body is too large.', headers: why },
          422: { description: 'The idempotency key belongs to another call.', headers: why },
          429: { description: 'The caller has used up its rate.', headers: { ...why, ...retryAfter } },
          500: { description: 'bigpipe could not do it.', headers: why },
          503: { description: 'bigpipe is full.', headers: { ...why, ...retryAfter } },
        },
      },
    },
  },
};
