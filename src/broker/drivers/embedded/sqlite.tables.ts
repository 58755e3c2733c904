// The tables that hold the messages, one a partition, with their statements.
import type Database from 'better-sqlite3';
import { createMessagesTable, messagesTable } from './sqlite.schema.js';

export interface OldestChunk {
  readonly o: number;
  readonly c: number;
  readonly t: number;
}

export interface TableStatements {
  readonly insert: Database.Statement;
  readonly remove: Database.Statement;
  readonly size: Database.Statement<[number], number>;
  readonly oldest: Database.Statement<unknown[], OldestChunk>;
  /** It changes only as it is removed, and of thousands of partitions retention asks again and again. */
  knownOldest: OldestChunk | undefined;
}

export class MessageTables {
  private readonly statements = new Map<string, TableStatements>();
  /** Tables that are there: a partition's comes with its first message, so that thousands that stay empty cost nothing. */
  private readonly existing: Set<string>;
  /** In the transaction under way. */
  private created: string[] = [];

  constructor(private readonly db: Database.Database) {
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    this.existing = new Set(names);
  }

  has(topicId: number, partition: number): boolean {
    return this.existing.has(messagesTable(topicId, partition));
  }

  oldestChunk(topicId: number, partition: number): OldestChunk | undefined {
    if (!this.has(topicId, partition)) return undefined;
    const table = this.of(topicId, partition);
    table.knownOldest ??= table.oldest.get();
    return table.knownOldest;
  }

  /** Within a transaction. */
  writable(topicId: number, partition: number): TableStatements {
    const name = messagesTable(topicId, partition);
    if (!this.existing.has(name)) {
      this.db.exec(createMessagesTable(topicId, partition));
      this.existing.add(name);
      this.created.push(name);
    }
    return this.of(topicId, partition);
  }

  of(topicId: number, partition: number): TableStatements {
    const name = messagesTable(topicId, partition);
    let table = this.statements.get(name);
    if (table === undefined) {
      table = {
        insert: this.db.prepare(`INSERT INTO ${name} VALUES (?, ?, ?, ?)`),
        remove: this.db.prepare(`DELETE FROM ${name} WHERE o = ?`),
        size: this.db.prepare<[number], number>(`SELECT length(d) FROM ${name} WHERE o = ?`).pluck(),
        oldest: this.db.prepare(`SELECT o, c, t FROM ${name} ORDER BY o LIMIT 1`),
        knownOldest: undefined,
      };
      this.statements.set(name, table);
    }
    return table;
  }

  /** The transaction is durable. */
  committed(): void {
    this.created = [];
  }

  /** What the transaction did is undone. */
  rolledBack(): void {
    for (const table of this.statements.values()) table.knownOldest = undefined;
    for (const name of this.created.splice(0)) {
      this.existing.delete(name);
      this.statements.delete(name);
    }
  }
}
