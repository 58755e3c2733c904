// The operator's listener: a second one over the same routes, whose marks decide which of the two serves them.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { FastifyInstance } from 'fastify';
import type { ConfigWatch } from './config-watch/config-watch.js';
import type { ListenerTls } from './listener-tls.js';
import { type Turned, whyTurnedAway } from './management/access.js';
import { mainListener, managementListener } from './message/listener.js';

/** Operators, their scripts and probes. */
const maxConnections = 256;
/** How often Node looks for requests that are late; the read timeout is kept to within it. */
export const lateRequestsCheckMs = 1000;

/** Requests that came in through it. */
const throughManagement = new WeakSet<IncomingMessage>();

/** Which listener a request came in at. */
export const listenerOf = (request: IncomingMessage): string =>
  throughManagement.has(request) ? managementListener.listener : mainListener.listener;

/** Rejects when the address cannot be had. */
export async function openManagement(
  fastify: FastifyInstance,
  configWatch: ConfigWatch,
  tls: ListenerTls,
): Promise<Server> {
  const { management, server: limits } = configWatch.settings;
  const options = {
    requestTimeout: limits.readTimeoutMs,
    headersTimeout: limits.readTimeoutMs,
    maxHeaderSize: limits.maxHeaderBytes,
    connectionsCheckingInterval: lateRequestsCheckMs,
  };
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const turned = whyTurnedAway(request, configWatch.settings.management);
    if (turned !== null) {
      turnAway(response, turned);
      return;
    }
    throughManagement.add(request);
    fastify.routing(request, response);
  };
  const tlsOptions = tls.optionsWithin(limits.readTimeoutMs);
  const server =
    tlsOptions === null ? createServer(options, listener) : createTlsServer({ ...options, ...tlsOptions }, listener);
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(management.port, management.host, resolve);
  });
  tls.follow(server);
  return server;
}

/** In the words in which the pages themselves refuse. */
function turnAway(response: ServerResponse, { status, message }: Turned): void {
  const challenge = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
  // What is still on its way is not read.
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', connection: 'close', ...challenge });
  response.end(JSON.stringify({ statusCode: status, message }));
}

export async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
