// A part of the Fastify instance where bodies come in as bytes, whatever their content type says.
import type { IncomingMessage } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { mainListener } from '../message/listener.js';
import { readBody } from './read-body.js';

/** What Fastify is told of every body. */
const anyBody = 'application/octet-stream';

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
    scope.addContentTypeParser(['*', anyBody], (request, payload, done) => {
      readBody(payload, Number(request.headers['content-length']), bodyLimit(), done);
    });
    // One name for all: Fastify knows it and asks no more about it. Where there is no body it is told none.
    scope.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
      const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
      headers['content-type'] = hasBody ? anyBody : undefined;
      done();
    });
    addRoutes(scope);
  });
}
