// Whether there is room for calls: a write that finds none ends it, what retention removes brings it back.
import type Database from 'better-sqlite3';
import type { DiskReserve } from './disk-reserve.js';
import type { Checkpoints } from './sqlite.checkpoints.js';
import { busyTimeoutMs } from './sqlite.schema.js';

export class SqliteRoom {
  private full: boolean;

  constructor(
    private readonly db: Database.Database,
    private readonly reserve: DiskReserve,
    private readonly checkpoints: Checkpoints,
  ) {
    this.full = !reserve.take();
    if (this.full) reserve.release();
  }

  /** True while there is room for nothing but marks, dead letters and retention. */
  get isFull(): boolean {
    return this.full;
  }

  /** A write found no room: from here on there is the reserve, which calls may not use. */
  enterFull(): void {
    if (this.full) return;
    this.full = true;
    this.reserve.release();
  }

  /** With what retention has removed, the write-ahead log folds into fewer pages than it has. */
  leaveFull(): void {
    try {
      // A check that reads at the moment holds the log's end; appends must not wait for it.
      this.db.pragma('busy_timeout = 0');
      this.checkpoints.truncate();
      this.full = !this.reserve.take();
    } catch {
      // There is no room even for that yet.
    } finally {
      this.db.pragma(`busy_timeout = ${busyTimeoutMs}`);
    }
  }
}
