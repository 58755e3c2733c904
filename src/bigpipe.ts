// Builds the program from its settings and opens its listeners; used by main.ts and by the end-to-end tests.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { Logger } from 'nestjs-pino';
import { Acl } from './acl/acl.js';
import { AppModule } from './app.module.js';
import { BrokerTransport } from './broker/broker.transport.js';
import type { Adjustable } from './config-watch/adjustable.js';
import { addressOf } from './config-watch/cluster-settings.js';
import { ConfigSource } from './config-watch/config-source.js';
import { ConfigWatch } from './config-watch/config-watch.js';
import { loadEnvironment } from './config-watch/env.js';
import { Dispatcher } from './dispatcher/dispatcher.js';
import { ClosedGrpcModule, GrpcDoor } from './ingress/grpc/grpc-door.js';
import { serveDocument } from './ingress/openapi/openapi.js';
import { ListenerTls } from './listener-tls.js';
import { ProcessLog } from './log.js';
import { newAdapter } from './main-adapter.js';
import { closeServer, openManagement } from './management-listener.js';
import { type Clock, SystemClock } from './message/clock.js';
import { ThisNode } from './message/this-node.js';
import { openFilesLimit, tooFewOpenFiles } from './open-files.js';
import { openTracing } from './open-tracing.js';
import { Producer } from './producer/producer.js';
import { Transactions } from './transaction/transactions.js';
import { Doors } from './workers/doors.js';

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
  const tracing = await openTracing(environment, clock);
  const grpc = settings.grpc.port === null ? ClosedGrpcModule : await loadGrpc();
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.of({ configWatch, clock, environment: module, log: processLog, tracing, grpc }),
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
    const tooFew = tooFewOpenFiles(settings, openFilesLimit());
    if (tooFew !== null) log.warn(tooFew);
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

/** Only where it is needed: it costs some 30 MB. */
async function loadGrpc(): Promise<Type> {
  const { GrpcModule } = await import('./ingress/grpc/grpc.module.js');
  return GrpcModule;
}

async function open(app: NestFastifyApplication, configWatch: ConfigWatch, tls: Tls) {
  app.connectMicroservice<MicroserviceOptions>({ strategy: app.get(BrokerTransport) });
  await app.startAllMicroservices();
  // Before the dispatcher, which writes the answers to checks.
  await app.get(Transactions).start();
  await app.get(Dispatcher).start();
  serveDocument(app);
  const port = await app.get(Doors).open(app);
  app.get(ThisNode).listensAt(addressOf(configWatch.settings, port));
  const grpcPort = await app.get(GrpcDoor).open(app);
  const fastify = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  const managementServer = await openManagement(fastify, configWatch, tls.management);
  tls.main.follow(app.getHttpServer());
  const ports = { port, ...(grpcPort === null ? {} : { grpcPort }), managementPort: portOf(managementServer) };
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
  return [processLog, app.get(Dispatcher), app.get(Producer), app.get(Acl), app.get(Doors), app.get(GrpcDoor)];
}

/** The first and the last line that somebody looks for who asks how a process ended. */
async function drain(close: () => Promise<void>, log: Logger): Promise<void> {
  log.log({ msg: 'bigpipe is draining' });
  await close();
  log.log({ msg: 'bigpipe has drained' });
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
