// GET /openapi.json and the page at /docs: what the doors take and answer, gathered from what stands beside each.
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { version } from '../../message/version.js';
import { commitPiece } from '../commit/commit.openapi.js';
import { messagesPiece } from '../messages/messages.openapi.js';
import { pullPiece } from '../pull/pull.openapi.js';
import { rpcPiece } from '../rpc/rpc.openapi.js';
import { transactionsPiece } from '../transactions/transactions.openapi.js';
import type { Piece } from './document.js';

const pieces: readonly Piece[] = [messagesPiece, transactionsPiece, pullPiece, commitPiece, rpcPiece];
const credentials = 'base64 of name:secret, as the operator gave them';

const document = {
  openapi: '3.1.0',
  info: {
    title: 'bigpipe',
    version,
    description: 'Asynchronous HTTP calls that do not get lost.',
    license: { name: 'MIT', identifier: 'MIT' },
  },
  tags: [
    { name: 'messages', description: 'The modern door.' },
    { name: 'transactions', description: 'Messages that nobody sees until their producer commits.' },
    { name: 'pull', description: 'For receivers without a URL.' },
    { name: 'commit', description: 'kproxy’s door.' },
    { name: 'rpc', description: 'The original’s door.' },
  ],
  paths: Object.assign({}, ...pieces.map(({ paths }) => paths)),
  components: {
    schemas: Object.assign({}, ...pieces.map(({ schemas = {} }) => schemas)),
    securitySchemes: {
      basic: { type: 'http', scheme: 'basic', description: credentials },
      bearer: { type: 'http', scheme: 'bearer', description: credentials },
    },
  },
};

/** Before the application listens. Nest's own scanner does not see the doors: they stand on Fastify itself. */
export function serveDocument(app: NestFastifyApplication): void {
  SwaggerModule.setup('docs', app, document as unknown as OpenAPIObject, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'bigpipe',
  });
}
