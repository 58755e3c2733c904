// A server that can go away and come back on the same port.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from './until.ts';

/** While it was away an outgoing connection may have had its port: such a one is waited for. */
async function listen(server: Server, port: number): Promise<void> {
  await until(
    'the port is free',
    () =>
      new Promise<boolean>((resolve, reject) => {
        const refused = (error: NodeJS.ErrnoException) =>
          error.code === 'EADDRINUSE' ? resolve(false) : reject(error);
        server.once('error', refused);
        server.listen(port, '127.0.0.1', () => {
          server.off('error', refused);
          resolve(true);
        });
      }),
  );
}

export class ReturningServer {
  private readonly listener: RequestListener;
  private server: Server | null = null;
  private port = 0;

  constructor(listener: RequestListener) {
    this.listener = listener;
  }

  /** The same also while it is away. */
  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get isOpen(): boolean {
    return this.server !== null;
  }

  async open(): Promise<void> {
    if (this.server !== null) return;
    const server = createServer(this.listener);
    server.keepAliveTimeout = 60_000;
    this.server = server;
    await listen(server, this.port);
    this.port = (server.address() as AddressInfo).port;
  }

  /** Connections are cut. */
  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    if (server === null) return;
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}
