// The only writer of the database: one transaction for each thing that is asked.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SystemClock } from '../../../message/clock.js';
import { sealChunk } from './chunk.js';
import { DiskReserve } from './disk-reserve.js';
import type {
  DamagedRange,
  RetentionFloor,
  RetentionRequest,
  RetentionResult,
  StoredCommit,
  StoredPartition,
  StoredTopic,
  StoreState,
  StoreWrite,
} from './log-store.js';
import { OldestFirst } from './oldest-first.js';
import { sealOf } from './seal.js';
import { findWalDamage, openDatabase, takeLock } from './sqlite.open.js';
import type { TopicRequest, WriterCalls, WriterOptions } from './sqlite.protocol.js';
import { busyTimeoutMs, createMessagesTable, messagesTable, pageSize, reserveFile } from './sqlite.schema.js';

/** Chunks that one retention transaction removes at most. */
const retainedChunks = 256;
/** And how long each of its two steps may take at most, so that appends never wait long behind it. */
const retentionSliceMs = 8;
/** Pages given back to the file system after a retention transaction, 4 MiB, and between two looks at the clock. */
const vacuumPages = 512;
const vacuumStepPages = 16;
/** Free pages below this share of the file, or 1 MiB, are kept for the next appends. */
const freeShareKept = 0.1;
const freePagesKept = 128;
/** Damage notes kept; past it something is so wrong that more notes help nobody. */
const maxDamageNotes = 1000;

interface OldestChunk {
  readonly o: number;
  readonly c: number;
  readonly t: number;
}

interface TableStatements {
  readonly insert: Database.Statement;
  readonly remove: Database.Statement;
  readonly size: Database.Statement<[number], number>;
  readonly oldest: Database.Statement<unknown[], OldestChunk>;
  /** It changes only as it is removed, and of thousands of partitions retention asks again and again. */
  knownOldest: OldestChunk | undefined;
}

interface Candidate {
  readonly floor: RetentionFloor;
  oldest: OldestChunk | undefined;
}

interface CommitRow {
  readonly topic: number;
  readonly partition: number;
  readonly member: string;
  readonly position: number;
  readonly metadata: string;
  readonly seen: number;
  readonly seal: number | null;
}

interface StartRow {
  readonly topic: number;
  readonly partition: number;
  readonly start: number;
  readonly seal: number | null;
}

const offsetOf = ({ committed }: StoredCommit) => Number(committed?.offset ?? 0n);

export class SqliteWriter {
  private readonly lock: Database.Database;
  private readonly walDamage: string | null;
  private readonly db: Database.Database;
  private readonly reserve: DiskReserve;
  /** The thread's own: no test moves it. */
  private readonly clock = new SystemClock();
  private isFull: boolean;
  private readonly tables = new Map<string, TableStatements>();
  /** Tables that are there: a partition's comes with its first message, so that thousands that stay empty cost nothing. */
  private readonly existing: Set<string>;
  /** In the transaction under way. */
  private created: string[] = [];
  private readonly putCommit: Database.Statement;
  private readonly putStart: Database.Statement;
  private readonly begin: Database.Statement;
  private readonly end: Database.Statement;

  constructor(options: WriterOptions) {
    const { directory, maxBytes } = options;
    this.lock = takeLock(directory);
    this.walDamage = findWalDamage(directory);
    this.db = this.openWithReserve(options);
    this.reserve = new DiskReserve(this.db, join(directory, reserveFile), pageSize, maxBytes);
    this.isFull = !this.reserve.take();
    if (this.isFull) this.reserve.release();
    const names = this.db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all() as string[];
    this.existing = new Set(names);
    this.putCommit = this.db.prepare(
      `INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       position = excluded.position, metadata = excluded.metadata, seen = excluded.seen, seal = excluded.seal`,
    );
    this.putStart = this.db.prepare(
      'INSERT INTO starts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET start = excluded.start, seal = excluded.seal',
    );
    this.begin = this.db.prepare('BEGIN IMMEDIATE');
    this.end = this.db.prepare('COMMIT');
  }

  /** On a full disk the reserve of the last run is what opening needs. */
  private openWithReserve(options: WriterOptions): Database.Database {
    try {
      return openDatabase(options);
    } catch (error) {
      const reserve = join(options.directory, reserveFile);
      if ((error as { code?: unknown }).code !== 'SQLITE_FULL' || !existsSync(reserve)) throw error;
      rmSync(reserve);
      return openDatabase(options);
    }
  }

  state(): StoreState {
    const topics = this.db.prepare('SELECT id, name, partitions, retention FROM topics').all() as StoredTopic[];
    const damage = this.walDamage === null ? [] : [this.walDamage];
    const commits = this.storedCommits(damage);
    const kept = new Map(this.keptStarts().map((row) => [messagesTable(row.topic, row.partition), row]));
    const partitions = topics.flatMap((topic) =>
      Array.from({ length: topic.partitions }, (_, partition) =>
        this.partitionState(topic.id, partition, kept.get(messagesTable(topic.id, partition)), commits, damage),
      ),
    );
    return { topics, partitions, commits, damage, isFull: this.isFull };
  }

  private storedCommits(damage: string[]): StoredCommit[] {
    const rows = this.db.prepare('SELECT * FROM commits').all() as CommitRow[];
    return rows.map(({ topic, partition, member, position, metadata, seen, seal }) => {
      const isWhole = seal === null || seal === sealOf(topic, partition, member, position, metadata, seen);
      if (!isWhole) damage.push(`the mark of group ${member} in partition ${partition} of topic ${topic} is damaged`);
      const committed = isWhole ? { offset: BigInt(position), metadata } : null;
      return { topicId: topic, partition, group: member, committed, seenMs: seen };
    });
  }

  private keptStarts(): StartRow[] {
    return this.db.prepare('SELECT topic, partition, start, seal FROM starts').all() as StartRow[];
  }

  private partitionState(
    topicId: number,
    partition: number,
    kept: StartRow | undefined,
    commits: readonly StoredCommit[],
    damage: string[],
  ): StoredPartition {
    const table = messagesTable(topicId, partition);
    const newest = this.existing.has(table)
      ? (this.db.prepare(`SELECT o, c FROM ${table} ORDER BY o DESC LIMIT 1`).get() as
          | { o: number; c: number }
          | undefined)
      : undefined;
    const isWhole = kept === undefined || kept.seal === null || kept.seal === sealOf(topicId, partition, kept.start);
    let start = kept?.start ?? 0;
    if (!isWhole) {
      damage.push(`where partition ${partition} of topic ${topicId} begins is damaged, and was found anew`);
      const marks = commits.filter((commit) => commit.topicId === topicId && commit.partition === partition);
      start = this.oldestChunk(topicId, partition)?.o ?? Math.max(0, ...marks.map(offsetOf));
    }
    return { topicId, partition, start, end: Math.max(start, newest === undefined ? 0 : newest.o + newest.c) };
  }

  ensureTopics(requests: WriterCalls['ensureTopics']['request']): StoredTopic[] {
    const find = this.db.prepare('SELECT id, name, partitions, retention FROM topics WHERE name = ?');
    const known = requests.map(({ name }) => find.get(name) as StoredTopic | undefined);
    const isThere = ({ partitions, retention }: TopicRequest, i: number) =>
      (known[i]?.partitions ?? 0) >= partitions && known[i]?.retention === retention;
    // A start must not need room for what is there already.
    if (requests.every(isThere)) return known as StoredTopic[];
    const put = this.db.prepare(
      `INSERT INTO topics (name, partitions, retention) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET
       partitions = max(partitions, excluded.partitions), retention = excluded.retention`,
    );
    return this.transaction(() => {
      for (const [i, request] of requests.entries()) {
        if (!isThere(request, i)) put.run(request.name, request.partitions, request.retention);
      }
      return requests.map(({ name }) => find.get(name) as StoredTopic);
    });
  }

  write({ buffer, chunks, commits }: StoreWrite): ArrayBuffer {
    const bytes = Buffer.from(buffer);
    return this.transaction(() => {
      for (const { topicId, partition, base, count, timestampMs, start, length } of chunks) {
        const chunk = bytes.subarray(start, start + length);
        sealChunk(chunk);
        this.writableTable(topicId, partition).insert.run(base, count, timestampMs, chunk);
      }
      for (const commit of commits) this.writeCommit(commit);
      return buffer;
    });
  }

  private writeCommit({ topicId, partition, group, committed, seenMs }: StoredCommit): void {
    if (committed === null) return;
    const { metadata } = committed;
    const offset = Number(committed.offset);
    const seal = sealOf(topicId, partition, group, offset, metadata, seenMs);
    this.putCommit.run(topicId, partition, group, offset, metadata, seenMs, seal);
  }

  noteDamage({ topicId, partition, first, last, reason, seenMs }: DamagedRange): null {
    const noted = this.db.prepare('SELECT count(*) FROM damage').pluck().get() as number;
    if (noted < maxDamageNotes) {
      this.db
        .prepare('INSERT OR IGNORE INTO damage VALUES (?, ?, ?, ?, ?, ?)')
        .run(topicId, partition, first, last, reason, seenMs);
    }
    return null;
  }

  retain({ floors, maxBytes }: RetentionRequest): RetentionResult {
    const starts = new Map<string, { topicId: number; partition: number; start: number }>();
    let unsettled = 0;
    let removed = 0;
    const { pages, free } = this.pages();
    let excess = (pages - free) * pageSize - maxBytes;
    const candidates = floors.map((floor) => ({ floor, oldest: this.oldestChunk(floor.topicId, floor.partition) }));
    // So that size takes from each what is oldest.
    const order = new OldestFirst(candidates, (candidate) => this.mayGo(candidate, excess > 0));
    let isSliceOver = false;
    const untilMs = this.sliceEndsMs();
    this.transaction(() => {
      while (!isSliceOver) {
        const next = order.next();
        if (next?.oldest === undefined) break;
        const { floor, oldest } = next;
        const { topicId, partition } = floor;
        const table = this.table(topicId, partition);
        if (excess > 0) excess -= table.size.get(oldest.o) ?? 0;
        table.remove.run(oldest.o);
        table.knownOldest = undefined;
        const start = oldest.o + oldest.c;
        starts.set(`${topicId}/${partition}`, { topicId, partition, start });
        unsettled += Math.max(0, start - Math.max(floor.settled, oldest.o));
        removed += 1;
        next.oldest = this.oldestChunk(topicId, partition);
        order.back(next);
        isSliceOver = removed === retainedChunks || this.clock.elapsedMs() >= untilMs;
      }
      for (const { topicId, partition, start } of starts.values()) {
        this.putStart.run(topicId, partition, start, sealOf(topicId, partition, start));
      }
      return null;
    });
    const more = this.shrink() || isSliceOver;
    if (this.isFull) this.leaveFull();
    return { starts: [...starts.values()], unsettled, more, isFull: this.isFull };
  }

  private mayGo({ floor, oldest }: Candidate, isTooLarge: boolean): boolean {
    if (oldest === undefined) return false;
    const isSettled = oldest.o + oldest.c <= floor.settled;
    if (isSettled && (this.isFull || oldest.t < floor.settledBeforeMs || isTooLarge)) return true;
    return oldest.t < floor.anyBeforeMs;
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
      // A check that reads at the moment holds the log's end; appends must not wait for it.
      this.db.pragma('busy_timeout = 0');
      this.db.pragma('wal_checkpoint(TRUNCATE)');
      this.isFull = !this.reserve.take();
    } catch {
      // There is no room even for that yet.
    } finally {
      this.db.pragma(`busy_timeout = ${busyTimeoutMs}`);
    }
  }

  /** Gives some free pages back; true while there are more than are worth keeping. */
  private shrink(): boolean {
    if (!this.hasPagesToGive()) return false;
    const untilMs = this.sliceEndsMs();
    return this.transaction(() => {
      for (let given = 0; given < vacuumPages && this.clock.elapsedMs() < untilMs; given += vacuumStepPages) {
        this.db.pragma(`incremental_vacuum(${vacuumStepPages})`);
        // While there is no room those that are worth keeping go too: the fewer are left, the less room folding needs.
        if (!this.isFull && !this.hasPagesToGive()) return false;
      }
      return this.hasPagesToGive();
    });
  }

  /** Each transaction takes room in the write-ahead log: while there is none, a few large ones have to do. */
  private sliceEndsMs(): number {
    return this.isFull ? Number.POSITIVE_INFINITY : this.clock.elapsedMs() + retentionSliceMs;
  }

  private hasPagesToGive(): boolean {
    const { pages, free } = this.pages();
    return free > Math.max(freePagesKept, pages * freeShareKept);
  }

  private oldestChunk(topicId: number, partition: number): OldestChunk | undefined {
    if (!this.existing.has(messagesTable(topicId, partition))) return undefined;
    const table = this.table(topicId, partition);
    table.knownOldest ??= table.oldest.get();
    return table.knownOldest;
  }

  private pages(): { pages: number; free: number } {
    const pages = this.db.pragma('page_count', { simple: true }) as number;
    const free = this.db.pragma('freelist_count', { simple: true }) as number;
    return { pages, free };
  }

  /** Within a transaction. */
  private writableTable(topicId: number, partition: number): TableStatements {
    const name = messagesTable(topicId, partition);
    if (!this.existing.has(name)) {
      this.db.exec(createMessagesTable(topicId, partition));
      this.existing.add(name);
      this.created.push(name);
    }
    return this.table(topicId, partition);
  }

  private table(topicId: number, partition: number): TableStatements {
    const name = messagesTable(topicId, partition);
    let table = this.tables.get(name);
    if (table === undefined) {
      table = {
        insert: this.db.prepare(`INSERT INTO ${name} VALUES (?, ?, ?, ?)`),
        remove: this.db.prepare(`DELETE FROM ${name} WHERE o = ?`),
        size: this.db.prepare<[number], number>(`SELECT length(d) FROM ${name} WHERE o = ?`).pluck(),
        oldest: this.db.prepare(`SELECT o, c, t FROM ${name} ORDER BY o LIMIT 1`),
        knownOldest: undefined,
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
      this.created = [];
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK');
      for (const table of this.tables.values()) table.knownOldest = undefined;
      for (const name of this.created.splice(0)) {
        this.existing.delete(name);
        this.tables.delete(name);
      }
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
