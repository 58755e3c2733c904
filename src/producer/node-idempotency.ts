// Idempotency keys as one node knows them: in a topic that survives it, and as hashes in memory.
import { Injectable, Logger } from '@nestjs/common';
import { Broker, durabilities } from '../broker/broker.js';
import { SharedLog } from '../broker/shared-log.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock } from '../message/clock.js';
import type { StoredMessage } from '../message/message.js';
import { idempotencyTopic } from '../message/side-topic.js';
import { Stats } from '../stats/stats.js';
import { type Claim, Idempotency, type OnceKey, type StoredAnswer } from './idempotency.js';
import { KeyTable } from './key-table.js';

/** Version, key, fingerprint; behind them the time, the durability and the id as text. */
const version = 1;
const hashBytes = 16;
const headBytes = 1 + 2 * hashBytes;
/** How many forgotten keys make it worth to free their records. */
const freeAfter = 4096n;

interface KeyRecord extends OnceKey {
  readonly atMs: number;
  readonly answer: StoredAnswer;
}

/** The topic is read, and made, when the first key comes. Other nodes' keys are known too once their records are read. */
@Injectable()
export class NodeIdempotency extends Idempotency {
  override readonly scope = 'node';
  private readonly log = new Logger(Idempotency.name);
  private readonly counters = { keys: 0, evicted: 0, replayed: 0 };
  private readonly known = new KeyTable();
  /** Fingerprints of calls that are being stored, by key. */
  private readonly underWay = new Map<string, Buffer>();
  private readonly records: SharedLog;
  private opening: Promise<void> | null = null;
  private freedBelow = 0n;

  constructor(
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    stats: Stats,
  ) {
    super();
    this.records = new SharedLog(broker, idempotencyTopic, (stored) => this.apply(stored));
    stats.register('idempotencyStats', () => ({ ...this.counters, keys: this.known.size }));
  }

  override async claim(once: OnceKey): Promise<Claim> {
    await this.opened();
    this.forget();
    const name = once.key.toString('latin1');
    const found = this.known.find(once.key);
    if (found !== null) {
      const record = await this.recordAt(found.offset);
      if (record?.key.equals(once.key) === true) {
        if (!record.fingerprint.equals(once.fingerprint)) return { kind: 'other payload' };
        this.counters.replayed += 1;
        return { kind: 'known', answer: record.answer, scope: this.scope };
      }
    }
    const other = this.underWay.get(name);
    if (other !== undefined) return { kind: other.equals(once.fingerprint) ? 'in progress' : 'other payload' };
    this.underWay.set(name, once.fingerprint);
    return {
      kind: 'new',
      record: (answer) => this.records.recordOf(bytesOf({ ...once, atMs: this.clock.now(), answer })),
      stored: (offset) => {
        if (offset !== null) this.remember(once.key, offset, this.clock.now());
        this.underWay.delete(name);
        return this.scope;
      },
      failed: () => this.underWay.delete(name),
    };
  }

  override async close(): Promise<void> {
    await this.opening?.catch(() => undefined);
    await this.records.close();
  }

  private opened(): Promise<void> {
    this.opening ??= this.records.open().catch((error: unknown) => {
      // The next call tries it again.
      this.opening = null;
      throw error;
    });
    return this.opening;
  }

  private apply({ body, offset }: StoredMessage): void {
    const record = recordOf(body);
    if (record === null)
      this.log.error({ msg: 'the record of an idempotency key cannot be read', offset: `${offset}` });
    else this.remember(record.key, offset, record.atMs);
  }

  private remember(key: Buffer, offset: bigint, atMs: number): void {
    const { ttlMs, maxKeys } = this.configWatch.settings.idempotency;
    if (atMs + ttlMs <= this.clock.now()) return;
    this.known.add(key, offset, atMs);
    while (this.known.size > maxKeys) {
      this.known.dropOldest();
      this.counters.evicted += 1;
    }
  }

  /** Those whose time is over; and on disk all before the first that is still known. */
  private forget(): void {
    const beforeMs = this.clock.now() - this.configWatch.settings.idempotency.ttlMs;
    for (let at = this.known.oldestMs; at !== null && at <= beforeMs; at = this.known.oldestMs) this.known.dropOldest();
    const below = this.known.oldestOffset ?? (this.underWay.size === 0 ? this.records.end : 0n);
    if (below - this.freedBelow < freeAfter) return;
    this.freedBelow = below;
    this.records.free(below).catch((error: unknown) => {
      this.log.error({ msg: 'records of idempotency keys could not be freed', err: error });
    });
  }

  private async recordAt(offset: bigint): Promise<KeyRecord | null> {
    const { messages } = await this.broker.fetch({ topic: idempotencyTopic, partition: 0 }, offset);
    const [first] = messages;
    return first?.offset === offset ? recordOf(first.body) : null;
  }
}

function bytesOf({ key, fingerprint, atMs, answer: { id, durability } }: KeyRecord): Buffer {
  return Buffer.concat([Buffer.of(version), key, fingerprint, Buffer.from(`${atMs} ${durability} ${id}`)]);
}

function recordOf(body: Buffer): KeyRecord | null {
  if (body.length <= headBytes || body[0] !== version) return null;
  const [atMs, written, id] = body.toString('utf8', headBytes).split(' ');
  const durability = durabilities.find((known) => known === written);
  if (id === undefined || durability === undefined) return null;
  const fingerprintFrom = 1 + hashBytes;
  return {
    key: Buffer.from(body.subarray(1, fingerprintFrom)),
    fingerprint: Buffer.from(body.subarray(fingerprintFrom, headBytes)),
    atMs: Number(atMs),
    answer: { id, durability },
  };
}
