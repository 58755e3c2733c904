// A TCP proxy that a test can tell to swallow answers and to cut all connections.
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy {
  private readonly pairs = new Set<readonly [Socket, Socket]>();
  private swallowing = false;

  private constructor(private readonly server: Server) {}

  static async start(listenPort: number, toPort: number): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server);
    server.on('connection', (client) =>
      proxy.join(client, connect({ host: '127.0.0.1', port: toPort, noDelay: true })),
    );
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listenPort, '127.0.0.1', resolve);
    });
    return proxy;
  }

  /** Requests still arrive; nobody hears of it. */
  swallowAnswers(): void {
    this.swallowing = true;
  }

  /** All connections end; new ones work again. */
  cut(): void {
    for (const [client, server] of this.pairs) {
      client.destroy();
      server.destroy();
    }
    this.pairs.clear();
    this.swallowing = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private join(client: Socket, server: Socket): void {
    const pair = [client, server] as const;
    this.pairs.add(pair);
    client.setNoDelay(true);
    client.on('data', (data) => server.write(data));
    server.on('data', (data) => {
      if (!this.swallowing) client.write(data);
    });
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        server.destroy();
        this.pairs.delete(pair);
      });
    }
  }
}
