// A process's connections: how many there are, and how it lets them go when another one is there to take some.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';

/**
 * The system shares out connections when they are made. Callers keep theirs, so a worker that took another's place
 * would have none while the others have all: told of it, they end each with its next answer, and it is made anew.
 */
export class Connections {
  private count = 0;
  /** Made since the last time; null: never told to let go. */
  private kept: WeakSet<Socket> | null = null;

  constructor(private readonly server: Server) {
    // The socket that requests come on: over TLS it is another one than the system's.
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.count += 1;
      this.kept?.add(socket);
      socket.once('close', () => {
        this.count -= 1;
      });
    });
  }

  /** Open at this moment. */
  get open(): number {
    return this.count;
  }

  /** Each connection that is open now gets one more answer, which says that it is closed. Nobody is cut off. */
  letGo(): void {
    if (this.kept === null) {
      this.server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
        if (this.kept?.has(socket) === false) response.shouldKeepAlive = false;
      });
    }
    this.kept = new WeakSet();
  }
}
