// Folds the write-ahead log into the database, in steps of some milliseconds and after the answers: no caller waits for 32 MiB.
import { closeSync, fdatasync, openSync } from 'node:fs';
import Database from 'better-sqlite3';
import { BigpipeError, textOf } from '../../../message/errors.js';

/** Pages that a step folds, 2 MiB, or one larger transaction: some 3 ms. */
const stepPages = 256;
/** From so many on, 32 MiB, the log is folded to its end and begun anew. */
const restartPages = 4000;
/** And from so many on without waiting for a sync that is under way. */
const mostPages = 2 * restartPages;

interface Folded {
  /** Pages in the write-ahead log, and how many of them stand in the database. */
  readonly log: number;
  readonly checkpointed: number;
}

/**
 * SQLite folds as far as the oldest reader allows, and syncs the database only when nothing is left to fold. So a reader of our own
 * stands a step behind: what a step folds is synced off this thread, and the last step finds little left to sync.
 */
export class Checkpoints {
  private readonly reader: Database.Database;
  private readonly file: number;
  private readonly size: Database.Statement<unknown[], Folded>;
  private readonly fold: Database.Statement<unknown[], Folded>;
  private readonly stand: Database.Statement;
  private readonly look: Database.Statement;
  private readonly leave: Database.Statement;
  /** How long the log was when the reader came to stand where it does. */
  private standsAt = 0;
  private isSyncing = false;
  /** A sync of the database has failed: nobody knows what of it the disk holds. */
  private failure: BigpipeError | null = null;

  constructor(
    private readonly db: Database.Database,
    path: string,
  ) {
    db.pragma('wal_autocheckpoint = 0');
    this.size = db.prepare('PRAGMA wal_checkpoint(NOOP)');
    this.fold = db.prepare('PRAGMA wal_checkpoint(PASSIVE)');
    this.reader = new Database(path, { readonly: true });
    this.stand = this.reader.prepare('BEGIN');
    this.look = this.reader.prepare('SELECT 1 FROM sqlite_schema LIMIT 1');
    this.leave = this.reader.prepare('ROLLBACK');
    // It counts as one that has the database open from its first look on.
    this.look.get();
    this.file = openSync(path, 'r+');
  }

  /** Throws storage-stopped once a sync has failed. */
  mustBeWhole(): void {
    if (this.failure !== null) throw this.failure;
  }

  /** One step, where enough was written since the last one. */
  step(): void {
    if (this.failure !== null) return;
    const { log } = this.size.get() as Folded;
    if (log >= restartPages && (!this.isSyncing || log >= mostPages)) this.finish(log);
    else if (log - this.standsAt >= stepPages) this.moveOn(log);
  }

  /** All at once, and gives back the log's room. Throws what SQLite throws. */
  truncate(): void {
    this.letGo();
    this.standsAt = 0;
    this.attempt(() => this.db.pragma('wal_checkpoint(TRUNCATE)'));
  }

  /** Before the database; of one whose sync has failed after it, so that the write-ahead log stays and all of it is folded again. */
  close(closeDatabase: () => void): void {
    this.letGo();
    if (this.failure === null) this.reader.close();
    closeDatabase();
    if (this.failure !== null) this.reader.close();
    // Closing a descriptor gives up the process's locks on its file: never before SQLite has closed its own.
    if (!this.isSyncing) closeSync(this.file);
  }

  private finish(log: number): void {
    this.letGo();
    const { checkpointed } = this.tryFold() ?? { checkpointed: 0 };
    // Who still reads an older state holds the rest back: tried again a step later.
    this.standsAt = checkpointed === log ? 0 : log;
  }

  private moveOn(log: number): void {
    if (this.reader.inTransaction) {
      const folded = this.tryFold();
      this.letGo();
      if (folded !== null) this.sync();
    }
    this.stand.run();
    this.look.get();
    this.standsAt = log;
  }

  private letGo(): void {
    if (this.reader.inTransaction) this.leave.run();
  }

  /** Null when it failed: where the database has no room, for one, it may have some later. */
  private tryFold(): Folded | null {
    try {
      return this.attempt(() => this.fold.get() as Folded);
    } catch {
      return null;
    }
  }

  private attempt<T>(folding: () => T): T {
    try {
      return folding();
    } catch (error) {
      if (String((error as { code?: unknown }).code).endsWith('FSYNC')) this.failed(error);
      throw error;
    }
  }

  private sync(): void {
    if (this.isSyncing || this.failure !== null) return;
    this.isSyncing = true;
    fdatasync(this.file, (error) => {
      this.isSyncing = false;
      if (error !== null) this.failed(error);
    });
  }

  private failed(error: unknown): void {
    this.failure ??= new BigpipeError('storage-stopped', `syncing the database failed: ${textOf(error)}`, {
      cause: error,
    });
  }
}
