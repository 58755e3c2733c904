// What a data directory holds, read without any of src's code: the format written anew from its description.
import { join } from 'node:path';
import Database from 'better-sqlite3';

export interface StoredRow {
  readonly partition: number;
  readonly offset: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export const databaseOf = (directory: string) => join(directory, 'data', 'bigpipe.db');

/** Every message of a topic, oldest first in each partition. */
export function storedMessages(directory: string, topic: string): StoredRow[] {
  const db = new Database(databaseOf(directory), { readonly: true, timeout: 5000 });
  try {
    const found = db.prepare('SELECT id, partitions FROM topics WHERE name = ?').get(topic);
    if (found === undefined) return [];
    const { id, partitions } = found as { id: number; partitions: number };
    const tables = new Set(db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all());
    return Array.from({ length: partitions }, (_, partition) => {
      if (!tables.has(`m_${id}_${partition}`)) return [];
      const chunks = db.prepare(`SELECT o, d FROM m_${id}_${partition} ORDER BY o`).all() as { o: number; d: Buffer }[];
      return chunks.flatMap(({ o, d }) => recordsOf(d, partition, o));
    }).flat();
  } finally {
    db.close();
  }
}

function recordsOf(chunk: Buffer, partition: number, base: number): StoredRow[] {
  const rows: StoredRow[] = [];
  let at = 16;
  for (let i = 0; i < chunk.readUInt32LE(4); i += 1) {
    const end = at + 4 + chunk.readUInt32LE(at);
    const keyBytes = Math.max(0, chunk.readUInt32LE(at + 10) - 1);
    const headersAt = at + 14 + keyBytes;
    const bodyAt = headersAt + 4 + chunk.readUInt32LE(headersAt);
    const headers = JSON.parse(chunk.toString('utf8', headersAt + 4, bodyAt)) as Record<string, string>;
    rows.push({ partition, offset: base + i, headers, body: chunk.subarray(bodyAt, end) });
    at = end;
  }
  return rows;
}

/** The dead letters of topic `test` and group `G1`, by message id. */
export function deadLetters(directory: string): Map<string, StoredRow> {
  const rows = storedMessages(directory, 'test.G1.dlq');
  return new Map(rows.map((row) => [row.headers['bigpipe-message-id'] ?? '', row]));
}
