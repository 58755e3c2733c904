// Opens the data directory for its one owner, and refuses what would lose something.
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { BigpipeError } from '../../../message/errors.js';
import type { WriterOptions } from './sqlite.protocol.js';
import {
  addSeals,
  busyTimeoutMs,
  createTables,
  damagedWalFile,
  databaseFile,
  formatVersion,
  lockFile,
  markerFile,
  pageSize,
  sealFile,
} from './sqlite.schema.js';
import { unreachableCommits } from './wal-scan.js';

const cacheKib = 8192;

/** The process that owns the directory, held by a lock of the operating system, which outlives no process. */
export function takeLock(directory: string): Database.Database {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, lockFile);
  const lock = new Database(file, { timeout: 0 });
  const owner = join(directory, `${lockFile}.pid`);
  try {
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
    const pid = existsSync(owner) ? readFileSync(owner, 'utf8').trim() : 'unknown';
    throw new BigpipeError(
      'storage-locked',
      `${directory} is in use by another process (pid ${pid}); one data directory serves one process`,
      { cause: error },
    );
  }
  writeFileSync(owner, `${process.pid}\n`);
  return lock;
}

/** Nobody opens the directory after it. */
export function sealDirectory(directory: string, why: string): void {
  writeFileSync(join(directory, sealFile), `${why}\n`, { flush: true });
  syncDirectory(directory);
}

function refuseSealed(directory: string): void {
  const file = join(directory, sealFile);
  if (!existsSync(file)) return;
  throw new BigpipeError(
    'closed',
    `the log in ${directory} is not used any more: ${readFileSync(file, 'utf8').trim()}; removing ${file} opens it as it was then`,
  );
}

export function openDatabase({ directory, fsync }: WriterOptions): Database.Database {
  refuseSealed(directory);
  const path = join(directory, databaseFile);
  const marker = join(directory, markerFile);
  const isNew = !existsSync(path) || statSync(path).size === 0;
  if (isNew && (existsSync(marker) || existsSync(`${path}-wal`))) {
    throw new BigpipeError(
      'storage-damaged',
      `${path} is missing or empty although a log was kept here; restore it, or remove ${directory} to begin anew`,
    );
  }
  const db = new Database(path, { timeout: busyTimeoutMs });
  db.pragma(`page_size = ${pageSize}`);
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${fsync ? 'FULL' : 'NORMAL'}`);
  db.pragma(`cache_size = -${cacheKib}`);
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > formatVersion) {
    throw new BigpipeError('storage-damaged', `${path} was written by a newer version (format ${version})`);
  }
  if (version === 1) db.exec(addSeals);
  db.exec(createTables);
  db.pragma(`user_version = ${formatVersion}`);
  if (!existsSync(marker)) {
    writeFileSync(marker, `${formatVersion}\n`, { flush: true });
    syncDirectory(directory);
  }
  return db;
}

/** Says what SQLite's recovery is about to pass over, and keeps a copy of it. */
export function findWalDamage(directory: string): string | null {
  const wal = join(directory, `${databaseFile}-wal`);
  const commits = unreachableCommits(wal);
  if (commits < 2) return null;
  const copy = join(directory, damagedWalFile);
  copyFileSync(wal, copy);
  return `${wal} is damaged: ${commits} commits behind the damage cannot be read; it was copied to ${copy}`;
}

/** A new file's name is durable only once its directory is. */
function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
