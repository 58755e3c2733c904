// The HTTP listener that calls come in at, in the main process or in a worker, and which routes it serves.
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import type { ServerSettings } from './config-watch/settings.js';
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

export function newAdapter(server: ServerSettings): FastifyAdapter {
  const adapter = new FastifyAdapter({
    // Of the management pages; the doors read bodies by the limit in force.
    bodyLimit: server.maxBodyBytes,
    connectionTimeout: server.writeTimeoutMs,
    requestTimeout: server.readTimeoutMs,
    forceCloseConnections: 'idle',
    // What still comes in on an open connection while draining is served; the answer closes the connection.
    return503OnClosing: false,
    http: {
      // Node refuses one that is longer than the other, whose default is 300 s.
      requestTimeout: server.readTimeoutMs,
      headersTimeout: server.readTimeoutMs,
      connectionsCheckingInterval: lateRequestsCheckMs,
    },
    routerOptions: { constraints: { listener: listenerConstraint } },
  });
  adapter.getInstance<FastifyInstance>().server.maxConnections = server.maxConnections;
  return adapter;
}
