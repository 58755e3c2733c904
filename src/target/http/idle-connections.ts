// Connections without a request, of all origins: so many at most, and none for too long.
import type { Clock, Timer } from '../../message/clock.js';
import { LinkedSet } from '../../message/linked-set.js';
import type { Connection } from './connection.js';

/** A connection without a request is closed after this, or when its receiver is about to do so. */
const longestMs = 30_000;
const sweepMs = 1000;
/** Some 10 KB and a file descriptor each; who calls more origins than these in turn connects anew each time. */
const maxIdle = 16_384;

export class IdleConnections {
  /** The one unused for longest first. */
  private readonly idle = new LinkedSet<Connection>(({ link }) => link);
  private sweep: Timer | null = null;

  constructor(private readonly clock: Clock) {}

  add(connection: Connection): void {
    connection.idleUntilMs = this.clock.elapsedMs() + Math.min(longestMs, connection.keptMs);
    this.idle.add(connection);
    // Each leaves as it is given up.
    if (this.idle.size > maxIdle) this.idle.first?.giveUp();
    this.sweep ??= this.clock.setTimer(sweepMs, () => this.sweepNow());
  }

  /** False when its time is over: it is not to be used. */
  take(connection: Connection): boolean {
    this.idle.delete(connection);
    return this.clock.elapsedMs() < connection.idleUntilMs;
  }

  delete(connection: Connection): void {
    this.idle.delete(connection);
  }

  close(): void {
    this.sweep?.cancel();
    this.sweep = null;
  }

  private sweepNow(): void {
    this.sweep = null;
    const nowMs = this.clock.elapsedMs();
    for (const connection of this.idle) if (connection.idleUntilMs <= nowMs) connection.giveUp();
    if (this.idle.size > 0) this.sweep = this.clock.setTimer(sweepMs, () => this.sweepNow());
  }
}
