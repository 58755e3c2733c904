// Builds the program from its settings and opens its listeners; used by main.ts and by the end-to-end tests.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Logger } from 'nestjs-pino';
import { Acl } from './acl/acl.js';
import { AppModule } from './app.module.js';
import { BrokerTransport } from './broker/broker.transport.js';
import type { Adjustable } from './config-watch/adjustable.js';
import { ConfigSource } from './config-watch/config-source.js';
import { ConfigWatch } from './config-watch/config-watch.js';
import { loadEnvironment } from './config-watch/env.js';
import { Dispatcher } from './dispatcher/dispatcher.js';
import { refuseUrl } from './ingress/messages/v1-scope.js';
import { serveDocument } from './ingress/openapi/openapi.js';
import { ListenerTls } from './listener-tls.js';
import { LiveListener } from './live-listener.js';
import { ProcessLog } from './log.js';
import { closeServer, lateRequestsCheckMs, listenerOf, openManagement } from './management-listener.js';
import { type Clock, SystemClock } from './message/clock.js';
import { mainListener } from './message/listener.js';
import { Producer } from './producer/producer.js';

const defaultFile = 'config/bigpipe.json';

interface Tls {
  readonly main: ListenerTls;
  readonly management: ListenerTls;
}

export interface RunningBigpipe {
  /** Ports as they are, also where the settings asked for a free one. */
  readonly port: number;
  readonly managementPort: number;
  /** Reads the configuration anew; resolves when it is in force or refused, which the log tells. Never rejects. */
  reload(): Promise<void>;
  /** Drains: everything answered is stored, everything in flight is settled or stays for the next start. Twice is fine. */
  close(): Promise<void>;
}

/**
 * `file` null: the environment's BIGPIPE_CONFIG, else config/bigpipe.json. `clock` is another one only where a test
 * owns time. Rejects with SettingsError or BigpipeError.
 */
export async function startBigpipe(file: string | null, clock: Clock = new SystemClock()): Promise<RunningBigpipe> {
  const { environment, variables, module } = await loadEnvironment();
  const source = new ConfigSource(file ?? environment.BIGPIPE_CONFIG ?? defaultFile, environment, variables);
  const configWatch = new ConfigWatch(source, clock);
  const { settings } = configWatch;
  const tls = {
    main: new ListenerTls(settings.server.tls, 'http.server.tls', clock),
    management: new ListenerTls(settings.management.tls, 'management.tls', clock),
  };
  const processLog = new ProcessLog(settings.log);
  const adapter = newAdapter(configWatch, tls.main);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.of({ configWatch, clock, environment: module, log: processLog.params }),
    adapter,
    // Our own log takes over below; what goes wrong before it is told by whoever called.
    { logger: false, abortOnError: false, bodyParser: false },
  );
  const log = app.get(Logger);
  app.useLogger(log);
  try {
    const running = await open(app, configWatch, tls);
    for (const adjustable of adjustables(app, processLog)) configWatch.register(adjustable);
    configWatch.watch();
    log.log({ msg: 'bigpipe is running', ...running.ports, file: configWatch.file, driver: settings.broker.driver });
    let closing: Promise<void> | undefined;
    const close = () => {
      configWatch.close();
      tls.main.close();
      tls.management.close();
      closing ??= drain(running.close, log);
      return closing;
    };
    const reload = async () => {
      await configWatch.reload();
    };
    return { ...running.ports, reload, close };
  } catch (error) {
    await app.close();
    throw error;
  }
}

async function open(app: NestFastifyApplication, configWatch: ConfigWatch, tls: Tls) {
  const { server } = configWatch.settings;
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(BrokerTransport) });
  await app.startAllMicroservices();
  await app.get(Dispatcher).start();
  serveDocument(app);
  await app.listen(server.port, server.host);
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const managementServer = await openManagement(fastify, configWatch, tls.management);
  tls.main.follow(app.getHttpServer());
  const ports = { port: portOf(app.getHttpServer()), managementPort: portOf(managementServer) };
  const close = async () => {
    await app.close();
    await closeServer(managementServer);
  };
  return { ports, close };
}

/**
 * The order in which new settings reach the modules: from the far end to the door, so that nothing is let in before
 * there is a place for it.
 */
function adjustables(app: NestFastifyApplication, processLog: ProcessLog): readonly Adjustable[] {
  return [processLog, app.get(Dispatcher), app.get(Producer), app.get(Acl), new LiveListener(app.getHttpServer())];
}

/** The first and the last line that somebody looks for who asks how a process ended. */
async function drain(close: () => Promise<void>, log: Logger): Promise<void> {
  log.log({ msg: 'bigpipe is draining' });
  await close();
  log.log({ msg: 'bigpipe has drained' });
}

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

function newAdapter(configWatch: ConfigWatch, tls: ListenerTls): FastifyAdapter {
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
    // A URL is bounded with the headers; what stands in it the doors look at.
    routerOptions: { constraints: { listener: listenerConstraint }, maxParamLength: server.maxHeaderBytes },
    frameworkErrors: (error: Error, _request: unknown, reply: FastifyReply) => refuseUrl(error, reply),
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

const portOf = (server: Server) => (server.address() as AddressInfo).port;
