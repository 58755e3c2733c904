// A receiver that notes every request and answers as the test's script says.
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Arrival {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** performance.now() once the whole body was there. */
  readonly atMs: number;
}

/** Answers one request; `socket` is there for receivers that break the protocol. */
export type Script = (arrival: Arrival, response: ServerResponse, socket: Socket) => void | Promise<void>;

const answer200: Script = (_arrival, response) => {
  response.end();
};

export class TargetServer {
  readonly arrivals: Arrival[] = [];
  script: Script = answer200;

  private constructor(private readonly server: Server) {}

  /** On a free port of 127.0.0.1 unless told otherwise. */
  static async start(script: Script = answer200, { host = '127.0.0.1', port = 0 } = {}): Promise<TargetServer> {
    const server = createServer();
    const target = new TargetServer(server);
    target.script = script;
    server.on('request', (request, response) => void target.received(request, response));
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    return target;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  url(path = '/'): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** How often each message id arrived. */
  countById(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { headers } of this.arrivals) {
      const id = String(headers['bigpipe-message-id']);
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    return counts;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private async received(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const arrival = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks),
      atMs: performance.now(),
    };
    this.arrivals.push(arrival);
    await this.script(arrival, response, request.socket);
  }
}
