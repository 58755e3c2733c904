// One cluster that is watched: how far its groups are behind, read from its brokers whenever somebody asks.
import type { Broker, GroupLag } from '../broker/broker.js';
import { type Clock, type Timer, within } from '../message/clock.js';
import { BigpipeError, textOf } from '../message/errors.js';
import { ownTopics } from '../message/side-topic.js';
import { drainSeconds } from './drain-forecast.js';

/** A reading is good for so long: many who ask at once share it. */
const freshMs = 1000;
const readBoundMs = 10_000;
/** The forecast looks back so many intervals. */
const maxSamples = 6;
/** Partitions of one answer whose oldest message is looked up, those furthest behind first. */
const maxAges = 200;
const agesAtOnce = 10;

/** Null: the group has no mark there. */
type Row = Omit<GroupLag, 'committed'> & { readonly committed: bigint | null };

export interface ClusterRow extends Row {
  /** Until it is 0, as things go now; null when they do not go that way, or too little is known. */
  readonly drainSeconds: number | null;
}

interface Reading {
  readonly atMs: number;
  readonly rows: readonly Row[];
}

export interface ClusterParts {
  readonly name: string;
  readonly open: () => Promise<Broker>;
  /** Lets go of what `open` brought. */
  readonly release: (broker: Broker) => Promise<void>;
  /** Groups that are known to exist, with or without a mark. */
  readonly expected: (broker: Broker) => readonly Row[];
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly report: (text: string, fields: object) => void;
}

/** Opens its broker when it is first asked, and again after a failure. */
export class ClusterWatch {
  private broker: Promise<Broker> | null = null;
  private reading: Promise<Reading> | null = null;
  private last: Reading | null = null;
  private samples: Reading[] = [];
  private timer: Timer | null = null;
  private isLost = false;
  private isClosed = false;

  constructor(private readonly parts: ClusterParts) {}

  get name(): string {
    return this.parts.name;
  }

  start(): void {
    if (this.isClosed) return;
    this.timer = this.parts.clock.setTimer(this.parts.intervalMs, () => {
      void this.sample().finally(() => this.start());
    });
  }

  /** As it is now, give or take a second. Rejects with a BigpipeError when the cluster does not answer. */
  async rows(): Promise<readonly ClusterRow[]> {
    const reading = await this.read();
    const before = new Map((this.samples[0]?.rows ?? []).map((row) => [nameOf(row), row]));
    return reading.rows.map((row) => {
      const earlier = before.get(nameOf(row));
      const point = earlier === undefined ? null : pointOf(earlier, this.samples[0]?.atMs ?? 0);
      return { ...row, drainSeconds: drainSeconds(point, pointOf(row, reading.atMs)) };
    });
  }

  /** How old the first message is that each of them has not settled, in seconds; null for what could not be looked up. */
  async ages(rows: readonly ClusterRow[]): Promise<ReadonlyMap<ClusterRow, number | null>> {
    const behind = rows.filter(({ lag }) => lag > 0n).toSorted((a, b) => Number(b.lag - a.lag));
    const ages = new Map<ClusterRow, number | null>(rows.map((row) => [row, row.lag > 0n ? null : 0]));
    const broker = await this.opened();
    for (let i = 0; i < Math.min(behind.length, maxAges); i += agesAtOnce) {
      const some = behind.slice(i, Math.min(i + agesAtOnce, maxAges));
      await Promise.all(some.map(async (row) => ages.set(row, await this.ageOf(broker, row))));
    }
    return ages;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    await this.forget();
  }

  private async ageOf(broker: Broker, { topic, partition, committed }: ClusterRow): Promise<number | null> {
    try {
      const { messages } = await broker.fetch({ topic, partition }, committed ?? 0n, 1);
      const first = messages[0];
      return first === undefined ? null : Math.max(0, (this.parts.clock.now() - first.timestampMs) / 1000);
    } catch {
      return null;
    }
  }

  private async sample(): Promise<void> {
    try {
      this.samples.push(await this.read());
      if (this.samples.length > maxSamples) this.samples.shift();
    } catch {
      // Told by `read`. What was before an outage says nothing about now.
      this.samples = [];
    }
  }

  private read(): Promise<Reading> {
    const { clock } = this.parts;
    if (this.last !== null && clock.elapsedMs() - this.last.atMs < freshMs) return Promise.resolve(this.last);
    this.reading ??= this.readNow().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async readNow(): Promise<Reading> {
    const { clock } = this.parts;
    try {
      const asked = this.ask();
      if (!(await within(clock, readBoundMs, asked))) {
        throw new BigpipeError('storage-failed', `no answer within ${readBoundMs} ms`);
      }
      const reading = { atMs: clock.elapsedMs(), rows: await asked };
      this.last = reading;
      this.tell(null);
      return reading;
    } catch (error) {
      this.last = null;
      this.tell(error);
      void this.forget();
      throw error;
    }
  }

  private async ask(): Promise<readonly Row[]> {
    const broker = await this.opened();
    const marked = (await broker.groupLags()).filter(({ topic }) => !ownTopics.includes(topic));
    const known = new Set(marked.map(nameOf));
    return [...marked, ...this.parts.expected(broker).filter((row) => !known.has(nameOf(row)))];
  }

  private opened(): Promise<Broker> {
    if (this.isClosed) return Promise.reject(new BigpipeError('closed', 'the monitor is closed'));
    this.broker ??= this.parts.open();
    return this.broker;
  }

  private async forget(): Promise<void> {
    const { broker } = this;
    this.broker = null;
    const opened = await broker?.catch(() => null);
    if (opened) await this.parts.release(opened);
  }

  /** Once when it stops answering, once when it answers again. */
  private tell(error: unknown): void {
    const isLost = error !== null;
    if (isLost === this.isLost || this.isClosed) return;
    this.isLost = isLost;
    const { name, report } = this.parts;
    if (isLost) report('a monitored cluster does not answer', { cluster: name, error: textOf(error) });
    else report('a monitored cluster answers again', { cluster: name });
  }
}

const nameOf = ({ group, topic, partition }: Row): string => `${group} ${topic} ${partition}`;

function pointOf({ committed, highWatermark, lag }: Row, atMs: number) {
  return { atMs, committed: committed ?? highWatermark - lag, end: highWatermark };
}
