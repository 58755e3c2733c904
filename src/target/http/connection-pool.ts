// The connections to one origin: each carries one request at a time, idle ones are used again, the last used first.
import { Connection } from './connection.js';
import type { Connector } from './connectors.js';
import type { IdleConnections } from './idle-connections.js';
import { type Origin, originOf } from './origin.js';

/** Not bounded itself: the dispatcher bounds what is in flight, and what would wait in here could not be aborted. */
export class ConnectionPool {
  readonly origin: Origin;
  private readonly idle: Connection[] = [];
  private readonly live = new Set<Connection>();
  private isRetired = false;

  constructor(
    origin: string,
    private readonly connector: Connector,
    private readonly idleOfAll: IdleConnections,
    /** The last connection is gone. */
    private readonly emptied: () => void,
  ) {
    this.origin = originOf(origin);
  }

  /** A connection for one request; give it back with `release` or end it with `cut`. */
  take(): Connection {
    for (let idle = this.idle.pop(); idle !== undefined; idle = this.idle.pop()) {
      if (this.idleOfAll.take(idle)) return idle;
      this.end(idle);
    }
    const connection = new Connection(this.origin, this.connector, (gone) => this.cut(gone));
    this.live.add(connection);
    return connection;
  }

  release(connection: Connection): void {
    if (!this.live.has(connection)) return;
    if (this.isRetired) {
      this.cut(connection);
      return;
    }
    this.idle.push(connection);
    this.idleOfAll.add(connection);
  }

  /** Ends the connection with whatever is on it, also while it is still being made. */
  cut(connection: Connection): void {
    if (!this.live.has(connection)) return;
    const at = this.idle.indexOf(connection);
    if (at !== -1) this.idle.splice(at, 1);
    this.end(connection);
    if (this.live.size === 0) this.emptied();
  }

  /** Connections that are in use are used to their end, and none again. */
  retire(): void {
    this.isRetired = true;
    // Each leaves the list as it is cut.
    for (let [connection] = this.idle; connection !== undefined; [connection] = this.idle) this.cut(connection);
  }

  close(): void {
    for (const connection of this.live) this.cut(connection);
  }

  private end(connection: Connection): void {
    this.live.delete(connection);
    this.idleOfAll.delete(connection);
    connection.cut();
  }
}
