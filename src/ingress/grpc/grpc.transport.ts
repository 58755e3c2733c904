// Nest's gRPC transport without a listener of its own: it binds the handlers to the services, connections are handed to it.
import { type ConnectionInjector, Server, ServerCredentials } from '@grpc/grpc-js';
import { ServerGrpc } from '@nestjs/microservices';
import type { ConfigWatch } from '../../config-watch/config-watch.js';
import { definition, packageName } from './protos.js';
import type { StandardServices } from './standard-services.js';

/** Of a message beside its body: its headers, key and other fields. */
const besideBodyBytes = 65_536;
/** A connection without a call is closed after this. */
const idleMs = 300_000;
/** A connection whose other end is gone is found out so. */
const keepaliveMs = 60_000;
const keepaliveTimeoutMs = 20_000;
/** Of one connection's frames and headers. */
const sessionMemoryMb = 64;

export class GrpcTransport extends ServerGrpc {
  private readonly server: Server;
  readonly connections: ConnectionInjector;

  constructor(configWatch: ConfigWatch, services: StandardServices) {
    super({
      package: packageName,
      packageDefinition: definition,
      onLoadPackageDefinition: (_definition, server: Server) => services.addTo(server),
    });
    this.server = new Server({
      'grpc.max_concurrent_streams': configWatch.settings.grpc.maxStreams,
      // Read again for each call: the bound on bodies changes while the listener is open.
      get 'grpc.max_receive_message_length'() {
        return configWatch.settings.server.maxBodyBytes + besideBodyBytes;
      },
      // Receivers' answers are bounded where they come in.
      'grpc.max_send_message_length': -1,
      'grpc.max_connection_idle_ms': idleMs,
      'grpc.keepalive_time_ms': keepaliveMs,
      'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
      'grpc-node.max_session_memory': sessionMemoryMb,
      'grpc.enable_channelz': 0,
    });
    this.connections = this.server.createConnectionInjector(ServerCredentials.createInsecure());
  }

  /** In place of a server that binds a port. */
  override async createClient(): Promise<Server> {
    return this.server;
  }

  /** Calls that are under way are served; resolves when the last connection has ended. */
  end(): Promise<void> {
    return new Promise((resolve) => this.server.tryShutdown(() => resolve()));
  }

  /** Also by Nest, once all is over. Twice is fine. */
  override async close(): Promise<void> {
    this.server.forceShutdown();
  }
}
