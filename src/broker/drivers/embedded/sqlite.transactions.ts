// One transaction for each thing that is asked: all of it is durable, or none of it ever was.
import type Database from 'better-sqlite3';
import type { SqliteRoom } from './sqlite.room.js';
import type { MessageTables } from './sqlite.tables.js';

export class Transactions {
  private readonly begin: Database.Statement;
  private readonly end: Database.Statement;

  constructor(
    private readonly db: Database.Database,
    private readonly tables: MessageTables,
    private readonly room: SqliteRoom,
  ) {
    this.begin = db.prepare('BEGIN IMMEDIATE');
    this.end = db.prepare('COMMIT');
  }

  run<T>(steps: () => T): T {
    this.begin.run();
    try {
      const result = steps();
      this.end.run();
      this.tables.committed();
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      this.tables.rolledBack();
      if ((error as { code?: unknown }).code === 'SQLITE_FULL') this.room.enterFull();
      throw error;
    }
  }
}
