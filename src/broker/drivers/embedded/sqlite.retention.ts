// Takes away what is old and settled, step by step: appends go in between and never wait long behind one.
import type Database from 'better-sqlite3';
import type { Clock } from '../../../message/clock.js';
import type { RetentionFloor, RetentionRequest, RetentionResult } from './log-store.js';
import { OldestFirst } from './oldest-first.js';
import { sealOf } from './seal.js';
import type { SqliteRoom } from './sqlite.room.js';
import { pageSize } from './sqlite.schema.js';
import type { MessageTables, OldestChunk } from './sqlite.tables.js';
import type { Transactions } from './sqlite.transactions.js';

/** Chunks that one transaction removes at most. */
const retainedChunks = 256;
/** And how long each of its two steps may take at most, so that appends never wait long behind it. */
const sliceMs = 8;
/** Pages given back to the file system after it, 4 MiB, and between two looks at the clock. */
const vacuumPages = 512;
const vacuumStepPages = 16;
/** Free pages below this share of the file, or 1 MiB, are kept for the next appends. */
const freeShareKept = 0.1;
const freePagesKept = 128;

interface Candidate {
  readonly floor: RetentionFloor;
  oldest: OldestChunk | undefined;
}

export interface SqliteRetentionParts {
  readonly db: Database.Database;
  readonly tables: MessageTables;
  readonly room: SqliteRoom;
  readonly transactions: Transactions;
  readonly clock: Clock;
}

export class SqliteRetention {
  private readonly putStart: Database.Statement;

  constructor(private readonly parts: SqliteRetentionParts) {
    this.putStart = parts.db.prepare(
      'INSERT INTO starts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET start = excluded.start, seal = excluded.seal',
    );
  }

  /** One step; the result says whether another would take more. */
  retain({ floors, maxBytes }: RetentionRequest): RetentionResult {
    const { tables, room, transactions, clock } = this.parts;
    const starts = new Map<string, { topicId: number; partition: number; start: number }>();
    let unsettled = 0;
    let removed = 0;
    const { pages, free } = this.pages();
    let excess = (pages - free) * pageSize - maxBytes;
    const candidates = floors.map((floor) => ({ floor, oldest: tables.oldestChunk(floor.topicId, floor.partition) }));
    // So that size takes from each what is oldest.
    const order = new OldestFirst(candidates, (candidate) => this.mayGo(candidate, excess > 0));
    let isSliceOver = false;
    const untilMs = this.sliceEndsMs();
    transactions.run(() => {
      while (!isSliceOver) {
        const next = order.next();
        if (next?.oldest === undefined) break;
        const { floor, oldest } = next;
        const { topicId, partition } = floor;
        const table = tables.of(topicId, partition);
        if (excess > 0) excess -= table.size.get(oldest.o) ?? 0;
        table.remove.run(oldest.o);
        table.knownOldest = undefined;
        const start = oldest.o + oldest.c;
        starts.set(`${topicId}/${partition}`, { topicId, partition, start });
        unsettled += Math.max(0, start - Math.max(floor.settled, oldest.o));
        removed += 1;
        next.oldest = tables.oldestChunk(topicId, partition);
        order.back(next);
        isSliceOver = removed === retainedChunks || clock.elapsedMs() >= untilMs;
      }
      for (const { topicId, partition, start } of starts.values()) {
        this.putStart.run(topicId, partition, start, sealOf(topicId, partition, start));
      }
      return null;
    });
    const more = this.shrink() || isSliceOver;
    if (room.isFull) room.leaveFull();
    return { starts: [...starts.values()], unsettled, more, isFull: room.isFull };
  }

  private mayGo({ floor, oldest }: Candidate, isTooLarge: boolean): boolean {
    if (oldest === undefined) return false;
    const isSettled = oldest.o + oldest.c <= floor.settled;
    if (isSettled && (this.parts.room.isFull || oldest.t < floor.settledBeforeMs || isTooLarge)) return true;
    return oldest.t < floor.anyBeforeMs;
  }

  /** Gives some free pages back; true while there are more than are worth keeping. */
  private shrink(): boolean {
    if (!this.hasPagesToGive()) return false;
    const { db, room, transactions, clock } = this.parts;
    const untilMs = this.sliceEndsMs();
    return transactions.run(() => {
      for (let given = 0; given < vacuumPages && clock.elapsedMs() < untilMs; given += vacuumStepPages) {
        db.pragma(`incremental_vacuum(${vacuumStepPages})`);
        // While there is no room those that are worth keeping go too: the fewer are left, the less room folding needs.
        if (!room.isFull && !this.hasPagesToGive()) return false;
      }
      return this.hasPagesToGive();
    });
  }

  /** Each transaction takes room in the write-ahead log: while there is none, a few large ones have to do. */
  private sliceEndsMs(): number {
    return this.parts.room.isFull ? Number.POSITIVE_INFINITY : this.parts.clock.elapsedMs() + sliceMs;
  }

  private hasPagesToGive(): boolean {
    const { pages, free } = this.pages();
    return free > Math.max(freePagesKept, pages * freeShareKept);
  }

  private pages(): { pages: number; free: number } {
    const pages = this.parts.db.pragma('page_count', { simple: true }) as number;
    const free = this.parts.db.pragma('freelist_count', { simple: true }) as number;
    return { pages, free };
  }
}
