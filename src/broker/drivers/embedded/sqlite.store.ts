// The log on SQLite: writes go to a thread of their own, reads come from a read-only connection here.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { BigpipeError, type ErrorCode, errorCodes, textOf } from '../../../message/errors.js';
import { ReleasingMap } from '../../../message/releasing-map.js';
import type { Retention } from '../../broker.js';
import {
  type DamagedRange,
  LogStore,
  type RetentionRequest,
  type RetentionResult,
  type StoredChunk,
  type StoredTopic,
  type StoreState,
  type StoreWrite,
} from './log-store.js';
import { sealDirectory } from './sqlite.open.js';
import {
  packPlaces,
  type TopicRequest,
  type WriterCall,
  type WriterCalls,
  type WriterOptions,
  type WriterReply,
  type WriterRequest,
} from './sqlite.protocol.js';
import { databaseFile, messagesTable } from './sqlite.schema.js';

type SqliteStoreOptions = Omit<WriterOptions, 'mode'>;

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (error: BigpipeError) => void;
}

interface WantedTopic {
  readonly request: TopicRequest;
  readonly resolve: (topic: StoredTopic) => void;
  readonly reject: (error: unknown) => void;
}

interface Reader {
  readonly atOrBefore: Database.Statement<[number], StoredChunk>;
  readonly after: Database.Statement<[number], StoredChunk>;
  readonly nextBase: Database.Statement<[number], number>;
}

const readerCacheKib = 4096;
/** The writer makes little garbage; unbounded, its heap would grow by what the machine's memory allows. */
const writerYoungMb = 8;

export class SqliteStore extends LogStore {
  private worker: Worker | null = null;
  private readonly waiting = new ReleasingMap<number, Waiting>();
  private lastId = 0;
  private wantedTopics: WantedTopic[] = [];
  /** A sync has failed: from then on nothing is written any more, whoever asks. */
  private stopped: BigpipeError | null = null;
  private isWriterGone = false;
  private reader: Database.Database | null = null;
  private readonly readers = new Map<string, Reader>();

  constructor(private readonly options: SqliteStoreOptions) {
    super();
  }

  override async open(): Promise<StoreState> {
    this.stopped = null;
    this.isWriterGone = false;
    this.worker = this.start('write', (error) => this.failAll(error));
    try {
      const state = await this.call('open', null);
      this.reader = new Database(join(this.options.directory, databaseFile), { readonly: true, timeout: 1000 });
      this.reader.pragma(`cache_size = -${readerCacheKib}`);
      return state;
    } catch (error) {
      await this.worker?.terminate();
      this.worker = null;
      throw error;
    }
  }

  override get isAlive(): boolean {
    return !this.isWriterGone;
  }

  override ensureTopic(name: string, partitions: number, retention: Retention): Promise<StoredTopic> {
    return new Promise((resolve, reject) => {
      this.wantedTopics.push({ request: { name, partitions, retention }, resolve, reject });
      // Who asks in this turn of the event loop shares a transaction.
      if (this.wantedTopics.length === 1) setImmediate(() => void this.ensureWanted());
    });
  }

  private async ensureWanted(): Promise<void> {
    const wanted = this.wantedTopics;
    this.wantedTopics = [];
    try {
      const stored = await this.call(
        'ensureTopics',
        wanted.map(({ request }) => request),
      );
      for (const [i, { resolve }] of wanted.entries()) resolve(stored[i] as StoredTopic);
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    }
  }

  override async seal(why: string): Promise<void> {
    sealDirectory(this.options.directory, why);
  }

  override write({ buffer, chunks, commits }: StoreWrite): Promise<ArrayBuffer> {
    return this.call('write', { buffer, places: packPlaces(chunks), commits }, [buffer]);
  }

  override read(topicId: number, partition: number, offset: number): StoredChunk | null {
    try {
      const { atOrBefore, after } = this.readerOf(topicId, partition);
      const chunk = atOrBefore.get(offset);
      if (chunk !== undefined && chunk.base + chunk.count > offset) return chunk;
      return after.get(offset) ?? null;
    } catch (error) {
      throw storageError(error);
    }
  }

  override nextReadable(topicId: number, partition: number, offset: number, end: number): number {
    const { nextBase } = this.readerOf(topicId, partition);
    const probe = (from: number): number | null => {
      try {
        return nextBase.get(from) ?? end;
      } catch (error) {
        const failure = storageError(error);
        if (failure.code !== 'storage-damaged') throw failure;
        return null;
      }
    };
    // Steps grow, so that a large hole costs few reads; then back to where reading first works again.
    let bad = offset - 1;
    let good = offset;
    for (let step = 1; good < end && probe(good) === null; step *= 2) {
      bad = good;
      good += step;
    }
    if (good >= end) good = end;
    while (good - bad > 1) {
      const middle = Math.floor((good + bad) / 2);
      if (probe(middle) === null) bad = middle;
      else good = middle;
    }
    return Math.min(end, probe(good) ?? end);
  }

  override async noteDamage(range: DamagedRange): Promise<void> {
    await this.call('noteDamage', range);
  }

  override retain(request: RetentionRequest): Promise<RetentionResult> {
    return this.call('retain', request);
  }

  override async check(): Promise<readonly string[]> {
    // A thread of its own: a check of a large log takes minutes, and appends must not wait for it.
    return new Promise((resolve, reject) => {
      const worker = this.start('check', reject);
      worker.on('message', (reply: WriterReply) => {
        if ('result' in reply) resolve(reply.result as readonly string[]);
        else reject(errorOf(reply.code, reply.message));
        void worker.terminate();
      });
      worker.postMessage({ id: 0, call: 'check', request: null } satisfies WriterRequest<'check'>);
    });
  }

  override async close(): Promise<void> {
    if (this.worker === null) return;
    const { worker } = this;
    // The writer must be the last to close: only it may fold the write-ahead log into the database.
    this.readers.clear();
    this.reader?.close();
    this.reader = null;
    if (!this.isWriterGone) await this.call('close', null).catch(() => null);
    this.worker = null;
    await worker.terminate();
  }

  private start(mode: WriterOptions['mode'], failed: (error: BigpipeError) => void): Worker {
    const worker = new Worker(new URL('./sqlite.worker.js', import.meta.url), {
      workerData: { ...this.options, mode } satisfies WriterOptions,
      resourceLimits: { maxYoungGenerationSizeMb: writerYoungMb },
      // Closed with the thread, a descriptor of the database would give up the locks of all that have it open here.
      trackUnmanagedFds: false,
    });
    if (mode === 'write') worker.on('message', (reply: WriterReply) => this.settle(reply));
    worker.on('error', (error) => failed(new BigpipeError('storage-stopped', textOf(error), { cause: error })));
    worker.on('exit', () => failed(new BigpipeError('storage-stopped', 'the writer thread has ended')));
    return worker;
  }

  private call<C extends WriterCall>(
    call: C,
    request: WriterCalls[C]['request'],
    transfer: ArrayBuffer[] = [],
  ): Promise<WriterCalls[C]['result']> {
    const { worker } = this;
    if (worker === null) return Promise.reject(new BigpipeError('closed', 'the store is closed'));
    if (this.stopped !== null && call !== 'close') return Promise.reject(this.stopped);
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, call, request } satisfies WriterRequest<C>, transfer);
    });
  }

  private settle(reply: WriterReply): void {
    const waiting = this.waiting.get(reply.id);
    if (waiting === undefined) return;
    this.waiting.delete(reply.id);
    if ('result' in reply) {
      waiting.resolve(reply.result as never);
      return;
    }
    const error = errorOf(reply.code, reply.message);
    if (error.code === 'storage-stopped') this.stopped = error;
    waiting.reject(error);
  }

  private failAll(error: BigpipeError): void {
    this.stopped ??= error;
    this.isWriterGone = true;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  private readerOf(topicId: number, partition: number): Reader {
    if (this.reader === null) throw new BigpipeError('closed', 'the store is closed');
    const table = messagesTable(topicId, partition);
    let reader = this.readers.get(table);
    if (reader === undefined) {
      const columns = 'o AS base, c AS count, d AS data';
      reader = {
        atOrBefore: this.reader.prepare(`SELECT ${columns} FROM ${table} WHERE o <= ? ORDER BY o DESC LIMIT 1`),
        after: this.reader.prepare(`SELECT ${columns} FROM ${table} WHERE o > ? ORDER BY o LIMIT 1`),
        nextBase: this.reader
          .prepare<[number], number>(`SELECT o FROM ${table} WHERE o >= ? ORDER BY o LIMIT 1`)
          .pluck(),
      };
      this.readers.set(table, reader);
    }
    return reader;
  }
}

function storageError(error: unknown): BigpipeError {
  if (error instanceof BigpipeError) return error;
  const { code } = error as { code?: unknown };
  return errorOf(typeof code === 'string' ? code : '', textOf(error));
}

/** SQLite's extended result codes in our words. After a failed sync nobody knows what the disk holds: stop. */
function errorOf(code: string, message: string): BigpipeError {
  if (errorCodes.includes(code as ErrorCode)) return new BigpipeError(code as ErrorCode, message);
  const text = code === '' ? message : `${message} (${code})`;
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return new BigpipeError('storage-full', text);
  if (code.startsWith('SQLITE_IOERR') && code.endsWith('FSYNC')) return new BigpipeError('storage-stopped', text);
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') return new BigpipeError('storage-damaged', text);
  return new BigpipeError('storage-failed', text);
}
