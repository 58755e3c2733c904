// The HTTP listener that calls come in at, in the main process or in a worker, and which routes it serves.
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ConfigWatch } from './config-watch/config-watch.js';
import { refuseUrl } from './ingress/messages/v1-scope.js';
import { WholeRequest } from './ingress/whole-request.js';
import type { ListenerTls } from './listener-tls.js';
import { lateRequestsCheckMs, listenerOf } from './management-listener.js';
import { mainListener } from './message/listener.js';

/** Lets a route say which listener serves it. */
const listenerConstraint = {
  name: 'listener',
  storage: () => {
    const handlers = new Map<string, unknown>();
    return {
      get: (listener: string) => (handlers.get(listener) as never) ?? null,
      set: (listener: string, handler: unknown) => {
        handlers.set(listener, handler);
      },
    };
  },
  deriveConstraint: listenerOf,
  validate: () => true,
};

export function newAdapter(configWatch: ConfigWatch, tls: ListenerTls): FastifyAdapter {
  const { server } = configWatch.settings;
  const limits = {
    // Node refuses one that is longer than the other, whose default is 300 s.
    requestTimeout: server.readTimeoutMs,
    headersTimeout: server.readTimeoutMs,
    maxHeaderSize: server.maxHeaderBytes,
    connectionsCheckingInterval: lateRequestsCheckMs,
    IncomingMessage: WholeRequest,
  };
  const tlsOptions = tls.optionsWithin(server.readTimeoutMs);
  const adapter = new FastifyAdapter({
    // Of the management pages; the doors read bodies by the limit in force.
    bodyLimit: server.maxBodyBytes,
    connectionTimeout: server.writeTimeoutMs,
    requestTimeout: server.readTimeoutMs,
    forceCloseConnections: 'idle',
    // What still comes in on an open connection while draining is served; the answer closes the connection.
    return503OnClosing: false,
    ...(tlsOptions === null ? { http: limits } : { https: { ...limits, ...tlsOptions } }),
    // A URL is bounded with the headers; what stands in it the doors look at.
    routerOptions: { constraints: { listener: listenerConstraint }, maxParamLength: server.maxHeaderBytes },
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) => void refuseUrl(error, reply),
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.server.maxConnections = server.maxConnections;
  // Node would leave out the ones past its own bound, whatever they say.
  fastify.server.maxHeadersCount = 0;
  fastify.addHook('onRequest', (request, reply, done) => {
    const { maxHeaders, closedPages } = configWatch.settings.server;
    if (request.raw.rawHeaders.length > 2 * maxHeaders) tooManyHeaders(reply, maxHeaders);
    else if (closedPages.length > 0 && isClosed(request, closedPages)) reply.callNotFound();
    else done();
  });
  return adapter;
}

/** By its route: a path can be written in many ways. */
const isClosed = ({ raw, routeOptions }: FastifyRequest, closedPages: readonly string[]): boolean =>
  closedPages.includes(routeOptions.url ?? '') && listenerOf(raw) === mainListener.listener;

function tooManyHeaders(reply: FastifyReply, maxHeaders: number): void {
  const message = `more than ${maxHeaders} headers`;
  reply.status(431).header('connection', 'close').send({ statusCode: 431, message });
}
