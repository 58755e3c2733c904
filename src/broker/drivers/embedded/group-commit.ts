// Gathers what all callers append while the last write is under way, and writes it as one transaction.
import type { Clock } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { Message, StoredMessage } from '../../../message/message.js';
import type { CommittedOffset } from '../../broker.js';
import { LoopGathering } from '../../loop-gathering.js';
import { AsideQueue } from './aside-queue.js';
import { chunkSize, type EncodableMessage, encodable } from './chunk.js';
import type { LogStore, StoredCommit } from './log-store.js';
import { gather, layOut, partsOf, type WritablePartition } from './write-layout.js';

/** Bounds how long one transaction holds up the next. A single larger message still goes, alone. */
const maxWriteBytes = 8 * 1_048_576;
/** Past it callers are told to come back. The producer's own bound comes first, except at acks 0. */
const maxPendingBytes = 64 * 1_048_576;

/** The least a write's buffer is long, so that one buffer serves many writes. */
const minBufferBytes = 262_144;

interface PendingAppend {
  readonly targets: readonly WritablePartition[];
  readonly records: readonly EncodableMessage[];
  readonly size: number;
  readonly resolve: (offsets: readonly bigint[]) => void;
  readonly reject: (error: BigpipeError) => void;
}

interface PendingCommit {
  committed: CommittedOffset;
  readonly partition: WritablePartition;
  readonly group: string;
  readonly settle: ((error: BigpipeError | null) => void)[];
}

export interface GroupCommitEvents {
  /** The messages are durable and may be read. */
  stored(partition: WritablePartition, messages: readonly StoredMessage[]): void;
  committed(partition: WritablePartition, group: string, committed: CommittedOffset): void;
  /** A write with its sync has ended well. */
  wrote(durationMs: number): void;
  /** There is no room for calls until retention has made some. */
  full(): void;
  /** Nothing can be written any more. */
  stopped(error: BigpipeError): void;
}

/** One write at a time, so that offsets are dense and a failure is known before anything follows it. */
export class GroupCommit {
  private appends: PendingAppend[] = [];
  /** To partitions in which no caller waits for what is written. */
  private readonly aside: AsideQueue<PendingAppend>;
  private pendingBytes = 0;
  private commits = new Map<string, PendingCommit>();
  private writing = false;
  /** A quarter fewer writes, a twentieth less CPU a call. */
  private readonly gathering: LoopGathering;
  private stopped: BigpipeError | null = null;
  private idle: (() => void)[] = [];
  /** The buffer of the last write, back from the writer. */
  private spare: ArrayBuffer | null = null;

  constructor(
    private readonly store: LogStore,
    private readonly clock: Clock,
    private readonly events: GroupCommitEvents,
    /** As LoopGathering has it; another one in tests. */
    loopEvents?: () => number,
  ) {
    this.gathering = new LoopGathering(
      clock,
      () => this.pendingBytes,
      () => void this.run(),
      loopEvents,
    );
    this.aside = new AsideQueue(clock, () => this.schedule());
  }

  /** Throws at once what is known at once: overloaded, storage-stopped. Rejects with whatever the write fails with. */
  append(messages: readonly Message[], targets: readonly WritablePartition[]): Promise<readonly bigint[]> {
    if (this.stopped !== null) throw this.stopped;
    const records = messages.map(encodable);
    const size = chunkSize(records);
    if (this.pendingBytes + size > maxPendingBytes && this.appends.length > 0) {
      throw new BigpipeError('overloaded', `${this.pendingBytes} bytes wait to be written`);
    }
    this.pendingBytes += size;
    return new Promise((resolve, reject) => {
      this.enqueue({ targets, records, size, resolve, reject });
    });
  }

  private enqueue(append: PendingAppend): void {
    const { targets } = append;
    if (targets.every(({ isAside }) => isAside)) {
      this.aside.push(append);
      return;
    }
    this.aside.callerCame();
    // In each partition the order of the appends holds.
    if (targets.some(({ isAside }) => isAside)) this.appends.push(...this.aside.remove(() => true));
    this.appends.push(append);
    this.schedule();
  }

  /** A later commit of the same group and partition overtakes one that still waits; both are then answered. */
  commit(group: string, partition: WritablePartition, committed: CommittedOffset): Promise<void> {
    if (this.stopped !== null) return Promise.reject(this.stopped);
    return new Promise((resolve, reject) => {
      const settle = (error: BigpipeError | null) => (error === null ? resolve() : reject(error));
      const key = `${partition.topicId}/${partition.partition}/${group}`;
      const waiting = this.commits.get(key);
      if (waiting === undefined) this.commits.set(key, { committed, partition, group, settle: [settle] });
      else {
        waiting.committed = committed;
        waiting.settle.push(settle);
      }
      this.schedule();
    });
  }

  /** Resolves when nothing waits to be written. */
  drained(): Promise<void> {
    if (!this.writing && !this.hasWork(true)) return Promise.resolve();
    return new Promise((resolve) => {
      this.idle.push(resolve);
      this.schedule();
    });
  }

  /** Everybody who asks in this turn of the event loop shares the write, and in the next ones while the loop is busy. */
  private schedule(): void {
    if (!this.writing) this.gathering.begin();
  }

  private async run(): Promise<void> {
    if (this.writing) return;
    this.writing = true;
    while (this.hasWork(this.idle.length > 0)) await this.writeOnce();
    this.writing = false;
    for (const resolve of this.idle.splice(0)) resolve();
  }

  private hasWork(toTheEnd: boolean): boolean {
    const { appends, commits, aside } = this;
    return appends.length > 0 || commits.size > 0 || (toTheEnd ? !aside.isEmpty : aside.isDue);
  }

  private async writeOnce(): Promise<void> {
    const appends = this.takeAppends();
    const commits = [...this.commits.values()];
    this.commits = new Map();
    const timestampMs = this.clock.now();
    const startedMs = this.clock.elapsedMs();
    const additions = gather(appends);
    const parts = partsOf(additions);
    const buffer = this.takeBuffer(parts.reduce((sum, { length }) => sum + length, 0));
    const chunks = layOut(parts, Buffer.from(buffer), timestampMs);
    try {
      this.spare = await this.store.write({
        buffer,
        chunks,
        commits: commits.map((commit) => stored(commit, timestampMs)),
      });
    } catch (error) {
      this.failed(error, appends, commits);
      return;
    }
    this.events.wrote(this.clock.elapsedMs() - startedMs);
    for (const [partition, { records, base }] of additions) {
      partition.end = base + records.length;
      this.events.stored(partition, storedMessages(partition, base, records, timestampMs));
    }
    for (const { partition, group, committed, settle } of commits) {
      this.events.committed(partition, group, committed);
      for (const done of settle) done(null);
    }
    const next = new Map([...additions].map(([partition, { base }]) => [partition, base]));
    for (const { targets, resolve } of appends) {
      resolve(
        targets.map((partition) => {
          const offset = next.get(partition) as number;
          next.set(partition, offset + 1);
          return BigInt(offset);
        }),
      );
    }
  }

  private takeBuffer(bytes: number): ArrayBuffer {
    const { spare } = this;
    this.spare = null;
    if (spare !== null && spare.byteLength >= bytes) return spare;
    return new ArrayBuffer(Math.max(minBufferBytes, bytes));
  }

  private takeAppends(): PendingAppend[] {
    let bytes = 0;
    let count = 0;
    for (const { size } of this.appends) {
      if (count > 0 && bytes + size > maxWriteBytes) break;
      bytes += size;
      count += 1;
    }
    const aside = this.aside.take();
    for (const { size } of aside) bytes += size;
    this.pendingBytes -= bytes;
    return [...this.appends.splice(0, count), ...aside];
  }

  /** What queued behind in the same partitions fails too: its callers may rely on what came before it. */
  private failed(error: unknown, appends: readonly PendingAppend[], commits: readonly PendingCommit[]): void {
    const cause =
      error instanceof BigpipeError ? error : new BigpipeError('storage-failed', textOf(error), { cause: error });
    if (cause.code === 'storage-full') this.events.full();
    const touched = new Set(appends.flatMap(({ targets }) => targets));
    const isStopped = cause.code === 'storage-stopped' || cause.code === 'storage-damaged';
    // On a full log none of them has room, and what is left is not for calls.
    const isFull = cause.code === 'storage-full';
    const isBehind = ({ targets }: PendingAppend) =>
      isStopped || isFull || targets.some((target) => touched.has(target));
    const behind = this.appends.filter(isBehind);
    this.appends = this.appends.filter((append) => !behind.includes(append));
    behind.push(...this.aside.remove(isBehind));
    for (const { size, reject } of behind) {
      this.pendingBytes -= size;
      reject(cause);
    }
    for (const { reject } of appends) reject(cause);
    const lost = isStopped ? [...commits, ...this.commits.values()] : commits;
    if (isStopped) {
      this.commits = new Map();
      this.stopped = cause;
      this.events.stopped(cause);
    }
    for (const { settle } of lost) for (const done of settle) done(cause);
  }
}

function storedMessages(
  { topic, partition }: WritablePartition,
  base: number,
  records: readonly EncodableMessage[],
  timestampMs: number,
): StoredMessage[] {
  return records.map(({ message }, i) => ({
    topic,
    partition,
    offset: BigInt(base + i),
    timestampMs,
    key: message.key,
    body: message.body,
    headers: message.headers,
  }));
}

function stored({ partition, group, committed }: PendingCommit, seenMs: number): StoredCommit {
  return { topicId: partition.topicId, partition: partition.partition, group, committed, seenMs };
}
