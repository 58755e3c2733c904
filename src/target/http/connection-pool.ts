// The connections to one origin: each carries one request at a time, idle ones are used again, the last used first.
import type { Socket } from 'node:net';
import { type buildConnector, Client } from 'undici';

/** A connection without a request is closed after this. */
const keepAliveMs = 30_000;
const maxHeaderBytes = 16_384;
/** Of all origins together, some 35 KB and a file descriptor each; who calls more than these in turn connects anew each time. */
const maxIdle = 4096;
/** One for all: a stack trace for each costs more than the connection. */
const ended = new Error('the attempt has ended');

/** Connections without a request, of all origins, the one unused for longest first. */
export class IdleConnections {
  private readonly pools = new Map<Client, ConnectionPool>();

  add(client: Client, pool: ConnectionPool): void {
    this.pools.set(client, pool);
    if (this.pools.size <= maxIdle) return;
    const [oldest] = this.pools;
    if (oldest !== undefined) oldest[1].cut(oldest[0]);
  }

  delete(client: Client): void {
    this.pools.delete(client);
  }
}

/**
 * Not bounded itself: the dispatcher bounds what is in flight, and what would wait in here could not be aborted.
 * undici's own pool looks for a free connection from the first one each time, which costs more than the request.
 */
export class ConnectionPool {
  private readonly idle: Client[] = [];
  /** Every connection with its socket, null before the first request. */
  private readonly live = new Map<Client, Socket | null>();
  private isRetired = false;

  constructor(
    private readonly origin: string,
    private readonly connector: buildConnector.connector,
    private readonly idleOfAll: IdleConnections,
    /** The last connection is gone. */
    private readonly emptied: () => void,
  ) {}

  /** A connection for one request; give it back with `release` or end it with `cut`. */
  take(): Client {
    const client = this.idle.pop();
    if (client === undefined) return this.open();
    this.idleOfAll.delete(client);
    return client;
  }

  release(client: Client): void {
    if (!this.live.has(client)) return;
    if (this.isRetired) {
      this.cut(client);
      return;
    }
    this.idle.push(client);
    this.idleOfAll.add(client, this);
  }

  /** Ends the connection with whatever is on it, also while it is still being made. */
  cut(client: Client): void {
    const socket = this.live.get(client);
    if (socket === undefined) return;
    this.live.delete(client);
    this.forgetIdle(client);
    void client.destroy(ended);
    // While it is being made the client does not know its socket yet.
    socket?.destroy(ended);
    if (this.live.size === 0) this.emptied();
  }

  /** Connections that are in use are used to their end, and none again. */
  retire(): void {
    this.isRetired = true;
    // Each leaves the list as it is cut.
    for (let [client] = this.idle; client !== undefined; [client] = this.idle) this.cut(client);
  }

  close(): void {
    for (const client of this.live.keys()) this.cut(client);
  }

  private forgetIdle(client: Client): void {
    const at = this.idle.indexOf(client);
    if (at === -1) return;
    this.idle.splice(at, 1);
    this.idleOfAll.delete(client);
  }

  private open(): Client {
    const client = new Client(this.origin, {
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: keepAliveMs,
      maxHeaderSize: maxHeaderBytes,
      // Each exchange has a deadline of its own, to the millisecond.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (options, callback) => {
        // The declared type hides what it returns.
        this.live.set(client, this.connector(options, callback) as unknown as Socket);
      },
    });
    this.live.set(client, null);
    // An idle one whose connection has ended is not kept: it would hold its place for ever.
    client.on('disconnect', () => {
      if (this.idle.includes(client)) this.cut(client);
    });
    return client;
  }
}
