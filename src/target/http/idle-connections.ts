// Connections without a request, of all origins: so many at most, and none for too long.
import type { Clock, Timer } from '../../message/clock.js';
import type { Connection } from './connection.js';

/** A connection without a request is closed after this, or when its receiver is about to do so. */
const longestMs = 30_000;
const sweepMs = 1000;
/** Some 25 KB and a file descriptor each; who calls more origins than these in turn connects anew each time. */
const maxIdle = 4096;

interface Idle {
  readonly untilMs: number;
  readonly cut: () => void;
}

export class IdleConnections {
  /** The one unused for longest first. */
  private readonly idle = new Map<Connection, Idle>();
  private sweep: Timer | null = null;

  constructor(private readonly clock: Clock) {}

  /** `cut` takes it out of here again. */
  add(connection: Connection, cut: () => void): void {
    this.idle.set(connection, { untilMs: this.clock.elapsedMs() + Math.min(longestMs, connection.keptMs), cut });
    if (this.idle.size > maxIdle) this.first?.cut();
    this.sweep ??= this.clock.setTimer(sweepMs, () => this.sweepNow());
  }

  /** False when its time is over: it is not to be used. */
  take(connection: Connection): boolean {
    const idle = this.idle.get(connection);
    this.idle.delete(connection);
    return idle !== undefined && this.clock.elapsedMs() < idle.untilMs;
  }

  delete(connection: Connection): void {
    this.idle.delete(connection);
  }

  close(): void {
    this.sweep?.cancel();
    this.sweep = null;
  }

  private get first(): Idle | undefined {
    return this.idle.values().next().value;
  }

  private sweepNow(): void {
    this.sweep = null;
    const nowMs = this.clock.elapsedMs();
    for (const { untilMs, cut } of this.idle.values()) if (untilMs <= nowMs) cut();
    if (this.idle.size > 0) this.sweep = this.clock.setTimer(sweepMs, () => this.sweepNow());
  }
}
