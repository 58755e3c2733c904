// Starts a worker, which takes calls for the main process that has forked it, and ends with it.
import 'reflect-metadata';
import type { Server } from 'node:http';
import { Socket } from 'node:net';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger as ProcessLogger } from 'nestjs-pino';
import { Acl } from './acl/acl.js';
import { closeListener } from './close-listener.js';
import { ConfigWatch } from './config-watch/config-watch.js';
import { loadEnvironment } from './config-watch/env.js';
import type { Settings } from './config-watch/settings.js';
import { DoorWorkerModule } from './door-worker.module.js';
import { ListenerTls } from './listener-tls.js';
import { LiveListener } from './live-listener.js';
import { ProcessLog } from './log.js';
import { newAdapter } from './main-adapter.js';
import { type Clock, SystemClock } from './message/clock.js';
import { Steps } from './message/steps.js';
import { openTracing } from './open-tracing.js';
import { Producer } from './producer/producer.js';
import { Replies } from './reply/replies.js';
import { Stats } from './stats/stats.js';
import { Tracing } from './stats/tracing/tracing.js';
import { Connections } from './workers/connections.js';
import { ControlChannel, type Sections, type StartOrder } from './workers/control-channel.js';
import { handKeyed } from './workers/hand-keyed.js';
import { SentSettings } from './workers/sent-settings.js';
import { useOfThis } from './workers/worker-metrics.js';
import { linkFd } from './workers/worker-process.js';

/** What a worker that is killed takes with it of its counters is younger than this. */
const countedEveryMs = 250;
const countedAnswerMs = 10_000;

class DoorWorker {
  private constructor(
    private readonly app: NestFastifyApplication,
    private readonly configWatch: ConfigWatch,
    private readonly source: SentSettings,
    private readonly connections: Connections,
    private readonly tls: ListenerTls,
    private readonly clock: Clock,
    private readonly number: number,
  ) {}

  static async start(order: StartOrder, link: Socket, channel: ControlChannel, clock: Clock): Promise<DoorWorker> {
    const { worker, settings, port, facts } = order;
    const source = new SentSettings(settings);
    // A change is told once, by the main process; what fails here is told here.
    const log = Object.assign(new Logger(ConfigWatch.name), { log: () => undefined });
    const configWatch = new ConfigWatch(source, clock, log);
    const tls = new ListenerTls(settings.server.tls, 'http.server.tls', clock);
    const processLog = new ProcessLog(settings.log, { worker });
    const { module: environment, environment: variables } = await loadEnvironment();
    const tracing = await openTracing(variables, clock);
    const app = await NestFactory.create<NestFastifyApplication>(
      DoorWorkerModule.of({ configWatch, clock, environment, log: processLog.params, tracing, link, facts, channel }),
      newAdapter(configWatch, tls),
      { logger: false, abortOnError: false, bodyParser: false },
    );
    app.useLogger(app.get(ProcessLogger));
    handKeyed(app.get(Producer), channel);
    // Only over Redis does a worker hear what came back: without it nobody waits here, and calls are answered at once.
    if (settings.redis.url === null) app.get(Replies).close();
    const { host } = settings.server;
    const server = app.getHttpServer() as Server;
    const connections = new Connections(server);
    tls.follow(server);
    // Each worker has a queue of its own there, and the system shares the connections out.
    await app.listen({ port, host, reusePort: true } as never);
    for (const adjustable of [processLog, app.get(Producer), app.get(Acl), new LiveListener(server)]) {
      configWatch.register(adjustable);
    }
    return new DoorWorker(app, configWatch, source, connections, tls, clock, worker);
  }

  adjust(settings: Settings): ReturnType<ConfigWatch['reload']> {
    this.source.send(settings);
    return this.configWatch.reload();
  }

  /** Of the settings there is one count, which is the main process's. */
  async counters(): Promise<Sections> {
    const { configStats: _, ...own } = await this.app.get(Stats).snapshot(new Steps(this.clock));
    return { ...own, workerStats: { connections: this.connections.open, use: { [this.number]: useOfThis() } } };
  }

  letGo(): void {
    this.connections.letGo();
  }

  async drain(): Promise<Sections> {
    const { httpAdapter, server } = { httpAdapter: this.app.getHttpAdapter(), server: this.app.getHttpServer() };
    this.tls.close();
    this.app.get(Replies).close();
    const { readTimeoutMs } = this.configWatch.settings.server;
    await closeListener(server, () => httpAdapter.close() as Promise<void>, this.clock, readTimeoutMs);
    await this.app.get(Producer).drain();
    await this.app.get(Tracing).close();
    return this.counters();
  }
}

/** Signals go to the main process, also where the whole group gets them; it says when to end. */
function heedNoSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => undefined);
}

function main(): void {
  heedNoSignals();
  // Without the main process nothing can be stored, and nobody may keep its port.
  process.once('disconnect', () => process.exit(0));
  const link = new Socket({ fd: linkFd });
  // Before anybody else hears of it: a call whose answer is not known is not answered.
  for (const event of ['error', 'end', 'close']) link.once(event, () => process.exit(0));
  const clock = new SystemClock();
  let worker: DoorWorker | null = null;
  const started = () => {
    if (worker === null) throw new Error('the worker has not started');
    return worker;
  };
  const channel = new ControlChannel(process, clock, {
    start: async (order) => {
      worker = await DoorWorker.start(order, link, channel, clock);
      tellCounters(channel, clock, worker);
      return null;
    },
    settings: async (settings) => started().adjust(settings),
    counters: async () => started().counters(),
    letGo: async () => {
      started().letGo();
      return null;
    },
    drain: async () => started().drain(),
  });
}

function tellCounters(channel: ControlChannel, clock: Clock, worker: DoorWorker): void {
  clock.setTimer(countedEveryMs, () => {
    const told = worker.counters().then((counters) => channel.ask('counted', counters, countedAnswerMs));
    void told.catch(() => null).then(() => tellCounters(channel, clock, worker));
  });
}

main();
