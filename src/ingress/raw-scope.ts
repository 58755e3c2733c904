// A part of the Fastify instance where bodies come in as bytes, whatever their content type says.
import type { IncomingMessage } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { mainListener } from '../message/listener.js';
import { readBody } from './read-body.js';

const otherMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The content type as the caller wrote it, which the scope hides from Fastify; undefined for none. */
export function contentTypeOf({ rawHeaders }: IncomingMessage): string | undefined {
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if ((rawHeaders[i] as string).toLowerCase() === 'content-type') return rawHeaders[i + 1];
  }
  return undefined;
}

/** Answers 405 to every method that a path of the main listener does not have. */
export function refuseOtherMethods(
  scope: FastifyInstance,
  url: string,
  allowed: readonly string[],
  answer: (reply: FastifyReply) => FastifyReply,
): void {
  scope.route({
    method: otherMethods.filter((method) => !allowed.includes(method)),
    url,
    constraints: mainListener,
    exposeHeadRoute: false,
    handler: (_request, reply) => answer(reply.status(405).header('allow', allowed.join(', '))),
  });
}

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
