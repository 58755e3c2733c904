// The writer thread of the SQLite store: the only writer of the database, one transaction at a time.
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
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { BigpipeError, textOf } from '../../../message/errors.js';
import { sealChunk, verifyChunk } from './chunk.js';
import { DiskReserve } from './disk-reserve.js';
import type {
  DamagedRange,
  RetentionRequest,
  RetentionResult,
  StoredCommit,
  StoredPartition,
  StoredTopic,
  StoreState,
  StoreWrite,
} from './log-store.js';
import type { WriterCall, WriterCalls, WriterOptions, WriterReply, WriterRequest } from './sqlite.protocol.js';
import {
  createMessagesTable,
  createTables,
  damagedWalFile,
  databaseFile,
  formatVersion,
  lockFile,
  markerFile,
  messagesTable,
  reserveFile,
} from './sqlite.schema.js';
import { unreachableCommits } from './wal-scan.js';

/** Measured: larger pages write more a commit, smaller ones make checkpoints too frequent. */
const pageSize = 8192;
/** 32 MiB of write-ahead log between checkpoints. */
const checkpointPages = 4000;
const cacheKib = 16_384;
/** Chunks that one retention transaction removes at most, so that appends never wait long behind it. */
const retainedChunks = 256;
/** Pages given back to the file system after a retention transaction: 4 MiB. */
const vacuumPages = 512;
/** Free pages below this share of the file, or 1 MiB, are kept for the next appends. */
const freeShareKept = 0.1;
const freePagesKept = 128;
/** Damage notes kept; past it something is so wrong that more notes help nobody. */
const maxDamageNotes = 1000;

const options = workerData as WriterOptions;
const path = join(options.directory, databaseFile);

/** The process that owns the directory, held by a lock of the operating system, which outlives no process. */
function takeLock(): Database.Database {
  mkdirSync(options.directory, { recursive: true });
  const file = join(options.directory, lockFile);
  const lock = new Database(file, { timeout: 0 });
  const owner = join(options.directory, `${lockFile}.pid`);
  try {
    lock.pragma('locking_mode = EXCLUSIVE');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { code?: unknown }).code !== 'SQLITE_BUSY') throw error;
    const pid = existsSync(owner) ? readFileSync(owner, 'utf8').trim() : 'unknown';
    throw new BigpipeError(
      'storage-locked',
      `${options.directory} is in use by another process (pid ${pid}); one data directory serves one process`,
      { cause: error },
    );
  }
  writeFileSync(owner, `${process.pid}\n`);
  return lock;
}

function openDatabase(): Database.Database {
  const marker = join(options.directory, markerFile);
  const isNew = !existsSync(path) || statSync(path).size === 0;
  if (isNew && (existsSync(marker) || existsSync(`${path}-wal`))) {
    throw new BigpipeError(
      'storage-damaged',
      `${path} is missing or empty although a log was kept here; restore it, or remove ${options.directory} to begin anew`,
    );
  }
  const db = new Database(path, { timeout: 10_000 });
  db.pragma(`page_size = ${pageSize}`);
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${options.fsync ? 'FULL' : 'NORMAL'}`);
  db.pragma(`wal_autocheckpoint = ${checkpointPages}`);
  db.pragma(`cache_size = -${cacheKib}`);
  db.exec(createTables);
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > formatVersion) {
    throw new BigpipeError('storage-damaged', `${path} was written by a newer version (format ${version})`);
  }
  db.pragma(`user_version = ${formatVersion}`);
  if (!existsSync(marker)) {
    writeFileSync(marker, `${formatVersion}\n`, { flush: true });
    syncDirectory();
  }
  return db;
}

/** Says what SQLite's recovery is about to pass over, and keeps a copy of it. */
function findWalDamage(): string | null {
  const wal = `${path}-wal`;
  const commits = unreachableCommits(wal);
  if (commits < 2) return null;
  const copy = join(options.directory, damagedWalFile);
  copyFileSync(wal, copy);
  return `${wal} is damaged: ${commits} commits behind the damage cannot be read; it was copied to ${copy}`;
}

/** A new file's name is durable only once its directory is. */
function syncDirectory(): void {
  const handle = openSync(options.directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

interface TableStatements {
  readonly insert: Database.Statement;
  readonly oldest: Database.Statement<unknown[], { o: number; c: number; t: number }>;
}

class Writer {
  private readonly lock = takeLock();
  private readonly walDamage = findWalDamage();
  private readonly db = openDatabase();
  private readonly reserve = new DiskReserve(this.db, join(options.directory, reserveFile), pageSize, options.maxBytes);
  private isFull = !this.reserve.take();
  private readonly tables = new Map<string, TableStatements>();
  private readonly putCommit = this.db.prepare(
    `INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
     position = excluded.position, metadata = excluded.metadata, seen = excluded.seen`,
  );
  private readonly putStart = this.db.prepare(
    'INSERT INTO starts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET start = excluded.start',
  );
  private readonly begin = this.db.prepare('BEGIN IMMEDIATE');
  private readonly end = this.db.prepare('COMMIT');

  state(): StoreState {
    const topics = this.db.prepare('SELECT id, name, partitions, retention FROM topics').all() as StoredTopic[];
    const partitions = topics.flatMap((topic) =>
      Array.from({ length: topic.partitions }, (_, partition) => this.partitionState(topic.id, partition)),
    );
    const commits = this.db.prepare('SELECT * FROM commits').all() as {
      topic: number;
      partition: number;
      member: string;
      position: number;
      metadata: string;
      seen: number;
    }[];
    return {
      topics,
      partitions,
      commits: commits.map((row) => ({
        topicId: row.topic,
        partition: row.partition,
        group: row.member,
        committed: { offset: BigInt(row.position), metadata: row.metadata },
        seenMs: row.seen,
      })),
      damage: this.walDamage,
    };
  }

  private partitionState(topicId: number, partition: number): StoredPartition {
    const table = messagesTable(topicId, partition);
    this.db.exec(createMessagesTable(topicId, partition));
    const kept = this.db
      .prepare('SELECT start FROM starts WHERE topic = ? AND partition = ?')
      .pluck()
      .get(topicId, partition) as number | undefined;
    const newest = this.db.prepare(`SELECT o, c FROM ${table} ORDER BY o DESC LIMIT 1`).get() as
      | { o: number; c: number }
      | undefined;
    const start = kept ?? 0;
    return { topicId, partition, start, end: Math.max(start, newest === undefined ? 0 : newest.o + newest.c) };
  }

  ensureTopic({ name, partitions, retention }: WriterCalls['ensureTopic']['request']): StoredTopic {
    return this.transaction(() => {
      this.db
        .prepare(
          `INSERT INTO topics (name, partitions, retention) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET
           partitions = max(partitions, excluded.partitions), retention = excluded.retention`,
        )
        .run(name, partitions, retention);
      const topic = this.db.prepare('SELECT id, name, partitions, retention FROM topics WHERE name = ?').get(name);
      const stored = topic as StoredTopic;
      for (let i = 0; i < stored.partitions; i += 1) this.db.exec(createMessagesTable(stored.id, i));
      return stored;
    });
  }

  write({ buffer, chunks, commits }: StoreWrite): ArrayBuffer {
    const bytes = Buffer.from(buffer);
    return this.transaction(() => {
      for (const { topicId, partition, base, count, timestampMs, start, length } of chunks) {
        const chunk = bytes.subarray(start, start + length);
        sealChunk(chunk);
        this.table(topicId, partition).insert.run(base, count, timestampMs, chunk);
      }
      for (const commit of commits) this.writeCommit(commit);
      return buffer;
    });
  }

  private writeCommit({ topicId, partition, group, committed, seenMs }: StoredCommit): void {
    this.putCommit.run(topicId, partition, group, Number(committed.offset), committed.metadata, seenMs);
  }

  noteDamage({ topicId, partition, first, last, reason }: DamagedRange): null {
    const noted = this.db.prepare('SELECT count(*) FROM damage').pluck().get() as number;
    if (noted < maxDamageNotes) {
      this.db
        .prepare('INSERT OR IGNORE INTO damage VALUES (?, ?, ?, ?, ?, ?)')
        .run(topicId, partition, first, last, reason, Date.now());
    }
    return null;
  }

  retain({ floors, settledBeforeMs, anyBeforeMs, maxBytes }: RetentionRequest): RetentionResult {
    const starts = new Map<string, { topicId: number; partition: number; start: number }>();
    let unsettled = 0;
    let removed = 0;
    const { pages, free } = this.pages();
    let excess = (pages - free) * pageSize - maxBytes;
    const candidates = floors.map((floor) => ({ floor, oldest: this.oldestChunk(floor.topicId, floor.partition) }));
    this.transaction(() => {
      while (removed < retainedChunks) {
        // The oldest of all partitions goes first, so that size takes from each what is oldest.
        const next = candidates
          .filter(({ floor, oldest }) => {
            if (oldest === undefined) return false;
            const settled = oldest.o + oldest.c <= floor.settled;
            return (settled && (oldest.t < settledBeforeMs || excess > 0)) || oldest.t < anyBeforeMs;
          })
          .sort((a, b) => (a.oldest?.t ?? 0) - (b.oldest?.t ?? 0))[0];
        if (next?.oldest === undefined) break;
        const { floor, oldest } = next;
        const { topicId, partition } = floor;
        const table = messagesTable(topicId, partition);
        const size = this.db.prepare(`SELECT length(d) FROM ${table} WHERE o = ?`).pluck().get(oldest.o) as number;
        this.db.prepare(`DELETE FROM ${table} WHERE o = ?`).run(oldest.o);
        const start = oldest.o + oldest.c;
        this.putStart.run(topicId, partition, start);
        starts.set(table, { topicId, partition, start });
        unsettled += Math.max(0, start - Math.max(floor.settled, oldest.o));
        excess -= size;
        removed += 1;
        next.oldest = this.oldestChunk(topicId, partition);
      }
      return null;
    });
    const more = this.shrink() || removed === retainedChunks;
    if (this.isFull && !more) this.leaveFull();
    return { starts: [...starts.values()], unsettled, more, isFull: this.isFull };
  }

  /** A write found no room: from here on there is the reserve, which calls may not use. */
  private enterFull(): void {
    if (this.isFull) return;
    this.isFull = true;
    this.reserve.release();
  }

  /** With what retention has removed, the write-ahead log folds into fewer pages than it has. */
  private leaveFull(): void {
    try {
      this.db.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      return;
    }
    this.isFull = !this.reserve.take();
  }

  /** Gives some free pages back; true while there are more than are worth keeping. */
  private shrink(): boolean {
    const { pages, free } = this.pages();
    if (free <= Math.max(freePagesKept, pages * freeShareKept)) return false;
    this.db.pragma(`incremental_vacuum(${vacuumPages})`);
    return true;
  }

  private oldestChunk(topicId: number, partition: number): { o: number; c: number; t: number } | undefined {
    return this.table(topicId, partition).oldest.get();
  }

  private pages(): { pages: number; free: number } {
    const pages = this.db.pragma('page_count', { simple: true }) as number;
    const free = this.db.pragma('freelist_count', { simple: true }) as number;
    return { pages, free };
  }

  private table(topicId: number, partition: number): TableStatements {
    const name = messagesTable(topicId, partition);
    let table = this.tables.get(name);
    if (table === undefined) {
      table = {
        insert: this.db.prepare(`INSERT INTO ${name} VALUES (?, ?, ?, ?)`),
        oldest: this.db.prepare(`SELECT o, c, t FROM ${name} ORDER BY o LIMIT 1`),
      };
      this.tables.set(name, table);
    }
    return table;
  }

  private transaction<T>(steps: () => T): T {
    this.begin.run();
    try {
      const result = steps();
      this.end.run();
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      if ((error as { code?: unknown }).code === 'SQLITE_FULL') this.enterFull();
      throw error;
    }
  }

  close(): null {
    this.db.close();
    this.lock.close();
    return null;
  }
}

/** Structure by SQLite's own check, content by our checksums; on a connection that can only read. */
function check(): readonly string[] {
  const db = new Database(path, { readonly: true });
  try {
    const faults = structureFaults(db);
    const topics = db.prepare('SELECT id, name, partitions FROM topics').all() as StoredTopic[];
    for (const topic of topics) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        checkPartition(db, topic, partition, faults);
      }
    }
    return faults;
  } finally {
    db.close();
  }
}

function structureFaults(db: Database.Database): string[] {
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

let writer: Writer | undefined;

function answer({ call, request }: WriterRequest): WriterCalls[WriterCall]['result'] {
  if (call === 'check') return check();
  if (call === 'open') {
    writer ??= new Writer();
    return writer.state();
  }
  if (writer === undefined) {
    if (call === 'close') return null;
    throw new BigpipeError('closed', 'the store is not open');
  }
  switch (call) {
    case 'ensureTopic':
      return writer.ensureTopic(request as WriterCalls['ensureTopic']['request']);
    case 'write':
      return writer.write(request as StoreWrite);
    case 'noteDamage':
      return writer.noteDamage(request as DamagedRange);
    case 'retain':
      return writer.retain(request as RetentionRequest);
    case 'close': {
      const closed = writer.close();
      writer = undefined;
      return closed;
    }
  }
}

parentPort?.on('message', (request: WriterRequest) => {
  let reply: WriterReply;
  try {
    reply = { id: request.id, result: answer(request) };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const place = error instanceof BigpipeError ? '' : `${options.directory}: `;
    reply = { id: request.id, code: typeof code === 'string' ? code : '', message: `${place}${textOf(error)}` };
  }
  // A write's buffer goes back, so that neither side ever waits for the other's garbage collector.
  parentPort?.postMessage(reply, 'result' in reply && reply.result instanceof ArrayBuffer ? [reply.result] : []);
  if (request.call === 'close') parentPort?.close();
});
