// What of the main listener changes while it is open.
import type { Server } from 'node:http';
import type { Adjustable } from './config-watch/adjustable.js';
import type { Settings } from './config-watch/settings.js';

export class LiveListener implements Adjustable {
  readonly name = 'listener';

  constructor(private readonly server: Server) {}

  /**
   * The bound on connections and the read timeout hold at once, the write timeout for connections from here on.
   * No connection is closed.
   */
  adjust({ server }: Settings): void {
    this.server.maxConnections = server.maxConnections;
    this.server.requestTimeout = server.readTimeoutMs;
    this.server.headersTimeout = server.readTimeoutMs;
    this.server.timeout = server.writeTimeoutMs;
  }
}
