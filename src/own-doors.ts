// The main listener in this process: alone, or at a port that a worker listens at too.
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { INestApplication } from '@nestjs/common';
import type { HttpAdapterHost } from '@nestjs/core';
import { closeListener } from './close-listener.js';
import type { ConfigWatch } from './config-watch/config-watch.js';
import type { Settings } from './config-watch/settings.js';
import { LiveListener } from './live-listener.js';
import type { Clock } from './message/clock.js';
import { Connections } from './workers/connections.js';
import { Doors, type SharedListener } from './workers/doors.js';

export class OwnDoors extends Doors {
  override readonly name = 'listener';
  private connections: Connections | null = null;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async open(app: INestApplication): Promise<number> {
    const { port, host } = this.configWatch.settings.server;
    await app.listen(port, host);
    return (this.server.address() as AddressInfo).port;
  }

  override adjust(next: Settings): void {
    new LiveListener(this.server).adjust(next);
  }

  override async close(): Promise<void> {
    const { httpAdapter } = this.adapterHost;
    await closeListener(
      this.server,
      () => httpAdapter.close(),
      this.clock,
      this.configWatch.settings.server.readTimeoutMs,
    );
  }

  /** The same beside workers: the system shares the connections out. */
  get shared(): SharedListener {
    return {
      open: async (app, port) => {
        this.connections = new Connections(this.server);
        const { host } = this.configWatch.settings.server;
        await app.listen({ port, host, reusePort: true } as never);
      },
      adjust: (next) => this.adjust(next),
      letGo: () => this.connections?.letGo(),
      close: () => this.close(),
    };
  }

  private get server(): Server {
    return this.adapterHost.httpAdapter.getHttpServer() as Server;
  }
}
