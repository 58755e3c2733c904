// Looks through a whole database for damage, beside the process that writes it.
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { textOf } from '../../../message/errors.js';
import { verifyChunk } from './chunk.js';
import type { StoredTopic } from './log-store.js';
import { databaseFile, messagesTable } from './sqlite.schema.js';

/** Structure by SQLite's own check, content by our checksums; on a connection that can only read. */
export function checkDatabase(directory: string): readonly string[] {
  const path = join(directory, databaseFile);
  const db = new Database(path, { readonly: true });
  try {
    const faults = structureFaults(db, path);
    const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    const tables = new Set(names);
    const topics = db.prepare('SELECT id, name, partitions FROM topics').all() as StoredTopic[];
    for (const topic of topics) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        // Without one nothing was ever written to it.
        if (tables.has(messagesTable(topic.id, partition))) checkPartition(db, topic, partition, faults);
      }
    }
    return faults;
  } finally {
    db.close();
  }
}

function structureFaults(db: Database.Database, path: string): string[] {
  try {
    const rows = db.pragma('quick_check(100)') as { quick_check: string }[];
    return rows.map((row) => row.quick_check).filter((line) => line !== 'ok');
  } catch (error) {
    return [`the structure of ${path}: ${textOf(error)}`];
  }
}

function checkPartition(db: Database.Database, topic: StoredTopic, partition: number, faults: string[]): void {
  try {
    const rows = db.prepare(`SELECT o, c, d FROM ${messagesTable(topic.id, partition)} ORDER BY o`).iterate();
    for (const row of rows as IterableIterator<{ o: number; c: number; d: Buffer }>) {
      try {
        verifyChunk(row.d, row.o);
      } catch (error) {
        faults.push(`${topic.name}/${partition} offsets ${row.o} to ${row.o + row.c - 1}: ${textOf(error)}`);
      }
    }
  } catch (error) {
    faults.push(`${topic.name}/${partition}: ${textOf(error)}`);
  }
}
