// A part of the Fastify instance where bodies come in as bytes, whatever their content type says.
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import { readBody } from './read-body.js';

/**
 * Doors register their routes here: no pipe, guard, interceptor or transformer stands between a call and the log.
 * A body over `bodyLimit()` bytes, asked anew for each, fails with statusCode 413 in the scope's error handler.
 */
export function openRawScope(
  adapterHost: HttpAdapterHost,
  bodyLimit: () => number,
  addRoutes: (scope: FastifyInstance) => void,
): void {
  const fastify = adapterHost.httpAdapter.getInstance<FastifyInstance>();
  void fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (request, payload, done) => {
      readBody(payload, Number(request.headers['content-length']), bodyLimit(), done);
    });
    // Without a content type Fastify asks no more about it, and takes the parser above.
    scope.addHook('onRequest', (request, _reply, done) => {
      request.raw.headers['content-type'] = undefined;
      done();
    });
    addRoutes(scope);
  });
}
