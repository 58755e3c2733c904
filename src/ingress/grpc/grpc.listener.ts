// The gRPC listener: its sockets, with TLS as the other listeners have it, and their end.
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type INestApplication, Injectable } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import type { Settings } from '../../config-watch/settings.js';
import { TlsFiles } from '../../config-watch/tls-files.js';
import { Clock, within } from '../../message/clock.js';
import { Closing } from './closing.js';
import { GrpcTransport } from './grpc.transport.js';
import { GrpcDoor } from './grpc-door.js';
import { StandardServices } from './standard-services.js';

@Injectable()
export class GrpcListener extends GrpcDoor {
  private readonly sockets = new Set<Socket>();
  private readonly services = new StandardServices();
  private readonly transport: GrpcTransport;
  private readonly tls: TlsFiles | null;
  private server: Server | null = null;

  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly closing: Closing,
  ) {
    super();
    const { tls } = configWatch.settings.grpc;
    this.tls = tls === null ? null : new TlsFiles(tls, 'grpc.server.tls', clock);
    this.transport = new GrpcTransport(configWatch, this.services);
  }

  override async open(app: INestApplication): Promise<number | null> {
    const { port, host } = this.configWatch.settings.grpc;
    await app.connectMicroservice({ strategy: this.transport }).listen();
    const server = this.newServer();
    this.server = server;
    this.adjust(this.configWatch.settings);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port ?? 0, host, resolve);
    });
    return (server.address() as AddressInfo).port;
  }

  override adjust({ server }: Settings): void {
    if (this.server !== null) this.server.maxConnections = server.maxConnections;
  }

  override retire(): void {
    this.services.retire();
  }

  override async close(): Promise<void> {
    const { server, tls, transport } = this;
    this.server = null;
    tls?.close();
    if (server === null) return;
    this.closing.begin();
    this.services.endWatches();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const ended = Promise.all([closed, transport.end()]);
    if (await within(this.clock, this.configWatch.settings.server.readTimeoutMs, ended)) return;
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private newServer(): Server {
    const { tls } = this;
    if (tls === null) return createServer({ noDelay: true }, (socket) => this.take(socket));
    const { material } = tls;
    const handshakeTimeout = this.configWatch.settings.server.readTimeoutMs;
    const options = { ...material, handshakeTimeout, requestCert: material.ca !== undefined, ALPNProtocols: ['h2'] };
    const server = createTlsServer(options, (socket) => this.take(socket));
    tls.watch((changed) => server.setSecureContext(changed));
    return server;
  }

  private take(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // Of a connection that breaks off nobody has to hear but its calls.
    socket.on('error', () => socket.destroy());
    this.transport.connections.injectConnection(socket);
  }
}
