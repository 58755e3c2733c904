// The HTTP listener that calls come in at, in the main process or in a worker, and which routes it serves.
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { ConfigWatch } from './config-watch/config-watch.js';
import type { ListenerTls } from './listener-tls.js';
import { lateRequestsCheckMs, listenerOf } from './management-listener.js';

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
    routerOptions: { constraints: { listener: listenerConstraint } },
  });
  const fastify = adapter.getInstance<FastifyInstance>();
  fastify.server.maxConnections = server.maxConnections;
  // Node would leave out the ones past its own bound, whatever they say.
  fastify.server.maxHeadersCount = 0;
  fastify.addHook('onRequest', (request, reply, done) => {
    const { maxHeaders } = configWatch.settings.server;
    if (request.raw.rawHeaders.length <= 2 * maxHeaders) done();
    else
      reply
        .status(431)
        .header('connection', 'close')
        .send({ statusCode: 431, message: `more than ${maxHeaders} headers` });
  });
  return adapter;
}
