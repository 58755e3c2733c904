// The only writer of the database: one transaction for each thing that is asked.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { SystemClock } from '../../../message/clock.js';
import { sealChunk } from './chunk.js';
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
import { sealOf } from './seal.js';
import { Checkpoints } from './sqlite.checkpoints.js';
import { findWalDamage, openDatabase, takeLock } from './sqlite.open.js';
import type { TopicRequest, WriterCalls, WriterOptions } from './sqlite.protocol.js';
import { SqliteRetention } from './sqlite.retention.js';
import { SqliteRoom } from './sqlite.room.js';
import { databaseFile, messagesTable, pageSize, reserveFile } from './sqlite.schema.js';
import { MessageTables } from './sqlite.tables.js';
import { Transactions } from './sqlite.transactions.js';

/** Damage notes kept; past it something is so wrong that more notes help nobody. */
const maxDamageNotes = 1000;

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
  private readonly checkpoints: Checkpoints;
  private readonly room: SqliteRoom;
  private readonly tables: MessageTables;
  private readonly transactions: Transactions;
  private readonly retention: SqliteRetention;
  private readonly putCommit: Database.Statement;

  constructor(options: WriterOptions) {
    const { directory, maxBytes } = options;
    this.lock = takeLock(directory);
    this.walDamage = findWalDamage(directory);
    this.db = this.openWithReserve(options);
    this.checkpoints = new Checkpoints(this.db, join(directory, databaseFile));
    const reserve = new DiskReserve(this.db, join(directory, reserveFile), pageSize, maxBytes);
    this.room = new SqliteRoom(this.db, reserve, this.checkpoints);
    this.tables = new MessageTables(this.db);
    this.transactions = new Transactions(this.db, this.tables, this.room);
    const { db, tables, room, transactions } = this;
    // The thread's own clock: no test moves it.
    this.retention = new SqliteRetention({ db, tables, room, transactions, clock: new SystemClock() });
    this.putCommit = this.db.prepare(
      `INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       position = excluded.position, metadata = excluded.metadata, seen = excluded.seen, seal = excluded.seal`,
    );
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
    return { topics, partitions, commits, damage, isFull: this.room.isFull };
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
    const newest = this.tables.has(topicId, partition)
      ? (this.db.prepare(`SELECT o, c FROM ${table} ORDER BY o DESC LIMIT 1`).get() as
          | { o: number; c: number }
          | undefined)
      : undefined;
    const isWhole = kept === undefined || kept.seal === null || kept.seal === sealOf(topicId, partition, kept.start);
    let start = kept?.start ?? 0;
    if (!isWhole) {
      damage.push(`where partition ${partition} of topic ${topicId} begins is damaged, and was found anew`);
      const marks = commits.filter((commit) => commit.topicId === topicId && commit.partition === partition);
      start = this.tables.oldestChunk(topicId, partition)?.o ?? Math.max(0, ...marks.map(offsetOf));
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
    return this.transactions.run(() => {
      for (const [i, request] of requests.entries()) {
        if (!isThere(request, i)) put.run(request.name, request.partitions, request.retention);
      }
      return requests.map(({ name }) => find.get(name) as StoredTopic);
    });
  }

  write({ buffer, chunks, commits }: StoreWrite): ArrayBuffer {
    const bytes = Buffer.from(buffer);
    return this.transactions.run(() => {
      for (const { topicId, partition, base, count, timestampMs, start, length } of chunks) {
        const chunk = bytes.subarray(start, start + length);
        sealChunk(chunk);
        this.tables.writable(topicId, partition).insert.run(base, count, timestampMs, chunk);
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

  retain(request: RetentionRequest): RetentionResult {
    return this.retention.retain(request);
  }

  /** Nothing is asked of a writer whose database may not hold what it was given. */
  mustBeWhole(): void {
    this.checkpoints.mustBeWhole();
  }

  /** Who asked has the answer: what else there is to do may take some milliseconds. */
  answered(): void {
    this.checkpoints.step();
  }

  close(): null {
    this.checkpoints.close(() => this.db.close());
    this.lock.close();
    return null;
  }
}
