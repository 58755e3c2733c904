// How the write-ahead log is folded: step by step, begun anew at its bound, and kept whole where the database cannot be synced.
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Checkpoints } from '#src/broker/drivers/embedded/sqlite.checkpoints.js';
import { openDatabase } from '#src/broker/drivers/embedded/sqlite.open.js';
import { until } from '../../../support/until.js';

const mib = 2 ** 20;
const page = 8192;

let directory: string;
let path: string;
let db: Database.Database;
let checkpoints: Checkpoints;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bigpipe-checkpoints-'));
  path = join(directory, 'bigpipe.db');
  db = openDatabase({ directory, fsync: true, maxBytes: 0, mode: 'write' });
  db.exec('CREATE TABLE filling (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)');
  checkpoints = new Checkpoints(db, path);
});

afterEach(() => {
  if (db.open) checkpoints.close(() => db.close());
  rmSync(directory, { recursive: true });
});

/** Each in a transaction of its own, with the step that follows an answer. */
async function fill(bytes: number): Promise<void> {
  const put = db.prepare('INSERT INTO filling (bytes) VALUES (?)');
  const chunk = Buffer.alloc(64 * 1024, 7);
  for (let done = 0; done < bytes; done += chunk.length) {
    put.run(chunk);
    checkpoints.step();
    // A sync that has ended is heard of between two requests.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const unfolded = (): number => {
  const [{ log, checkpointed }] = db.pragma('wal_checkpoint(NOOP)') as [{ log: number; checkpointed: number }];
  return log - checkpointed;
};

test('it is folded as it grows, so that little is left to fold at once', async () => {
  await fill(12 * mib);
  expect(statSync(path).size).toBeGreaterThan(8 * mib);
  expect(unfolded() * page).toBeLessThan(5 * mib);
});

test('it is begun anew at its bound, whatever was written before', async () => {
  await fill(100 * mib);
  expect(statSync(`${path}-wal`).size).toBeLessThan(70 * mib);
});

test('who reads an older state keeps it from being begun anew, and once they have gone it is', async () => {
  const reader = new Database(path, { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM filling').get();
  await fill(40 * mib);
  expect(unfolded() * page).toBeGreaterThan(32 * mib);
  reader.close();
  await fill(4 * mib);
  const grown = statSync(`${path}-wal`).size;
  await fill(24 * mib);
  expect(statSync(`${path}-wal`).size).toBe(grown);
});

test('cut short it holds nothing, and is folded on from there', async () => {
  await fill(10 * mib);
  checkpoints.truncate();
  expect(statSync(`${path}-wal`).size).toBe(0);
  await fill(10 * mib);
  expect(unfolded() * page).toBeLessThan(5 * mib);
});

test('closed, all of it stands in the database', async () => {
  await fill(3 * mib);
  checkpoints.close(() => db.close());
  expect(existsSync(`${path}-wal`)).toBe(false);
});

test('where a sync of the database has failed nothing more is asked, and the whole log stays for the next start', async () => {
  await fill(10 * mib);
  (checkpoints as unknown as { failed(error: Error): void }).failed(new Error('EIO'));
  expect(() => checkpoints.mustBeWhole()).toThrow('syncing the database failed: EIO');
  const before = unfolded();
  await fill(10 * mib);
  expect(unfolded()).toBeGreaterThan(before + (8 * mib) / page);
  checkpoints.close(() => db.close());
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(20 * mib);
  const again = new Database(path);
  expect(again.prepare('SELECT count(*) FROM filling').pluck().get()).toBe((20 * mib) / (64 * 1024));
  again.close();
});

test('a sync that is under way when it is closed does no harm', async () => {
  await fill(6 * mib);
  const inner = checkpoints as unknown as { isSyncing: boolean; sync(): void };
  inner.sync();
  checkpoints.close(() => db.close());
  await until('it has ended', () => !inner.isSyncing);
});
