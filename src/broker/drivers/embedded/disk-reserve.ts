// Room set aside for the day the log is full: marks, dead letters and retention need some to make more.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import type Database from 'better-sqlite3';

const reserveBytes = 1_048_576;

/** Held while there is room; released when a write finds none; taken again when there is some. */
export class DiskReserve {
  constructor(
    private readonly db: Database.Database,
    /** A file of that many bytes, for a disk that is full. */
    private readonly file: string,
    private readonly pageSize: number,
    /** The bound of the database, for a log that is full; 0 for none. */
    private readonly maxBytes: number,
  ) {}

  /** False when there is no room for it. */
  take(): boolean {
    if (!this.fits()) return false;
    if (!existsSync(this.file)) {
      try {
        writeFileSync(this.file, Buffer.alloc(reserveBytes), { flush: true });
      } catch {
        rmSync(this.file, { force: true });
        return false;
      }
    }
    if (this.maxBytes > 0) this.bound(this.maxBytes - reserveBytes);
    return true;
  }

  release(): void {
    rmSync(this.file, { force: true });
    if (this.maxBytes > 0) this.bound(this.maxBytes);
  }

  private fits(): boolean {
    if (this.maxBytes === 0) return true;
    const used = this.pragma('page_count') - this.pragma('freelist_count');
    if (used * this.pageSize + 2 * reserveBytes > this.maxBytes) return false;
    // SQLite takes no bound below the pages there are: what grew into the reserve goes back first.
    const excess = this.pragma('page_count') - Math.floor((this.maxBytes - reserveBytes) / this.pageSize);
    if (excess > 0) this.db.pragma(`incremental_vacuum(${excess})`);
    return this.pragma('page_count') * this.pageSize + reserveBytes <= this.maxBytes;
  }

  private pragma(name: string): number {
    return this.db.pragma(name, { simple: true }) as number;
  }

  private bound(bytes: number): void {
    this.db.pragma(`max_page_count = ${Math.max(1, Math.floor(bytes / this.pageSize))}`);
  }
}
