// Shared state of a single process.
import type { Clock, Timer } from '../../../message/clock.js';
import { type BucketLimit, type Taken, takeFrom } from '../../bucket.js';
import { type ChannelListener, SharedState, type SharedStateHealth } from '../../shared-state.js';

const sweepIntervalMs = 1000;
/** What an entry weighs beside its value. */
const entryWeight = 200;

interface Entry {
  readonly value: Buffer;
  readonly weight: number;
  readonly endMs: number;
}

export interface MemoryStateOptions {
  readonly clock: Clock;
  /** Past it the values that were set first go. */
  readonly maxBytes: number;
}

export class MemorySharedState extends SharedState {
  override readonly scope: SharedState['scope'] = 'node';
  private readonly entries = new Map<string, Entry>();
  private readonly listeners = new Map<string, Set<ChannelListener>>();
  private readonly fullAtMs = new Map<string, number>();
  private readonly counters = new Map<string, number>();
  private bytes = 0;
  private sweeping: Timer | null = null;

  constructor(private readonly options: MemoryStateOptions) {
    super();
  }

  override async open(): Promise<void> {
    // There is nothing to reach.
  }

  override async get(key: string): Promise<Buffer | null> {
    return this.living(key);
  }

  override async set(key: string, value: Buffer, ttlMs: number): Promise<void> {
    this.delete(key);
    const weight = entryWeight + key.length + value.length;
    this.entries.set(key, { value, weight, endMs: this.options.clock.elapsedMs() + ttlMs });
    this.bytes += weight;
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= this.options.maxBytes) break;
      this.delete(oldest);
    }
    this.sweepLater();
  }

  override async claim(key: string, value: Buffer, ttlMs: number): Promise<Buffer | null> {
    const found = this.living(key);
    if (found === null) await this.set(key, value, ttlMs);
    return found;
  }

  override async remove(key: string): Promise<void> {
    this.delete(key);
  }

  override async removeIf(key: string, value: Buffer): Promise<boolean> {
    const isThere = this.living(key)?.equals(value) === true;
    if (isThere) this.delete(key);
    return isThere;
  }

  /** A bucket that is full again is forgotten. */
  override async take(bucket: string, limit: BucketLimit, wanted: number): Promise<Taken> {
    const nowMs = this.options.clock.elapsedMs();
    const { fullAtMs, ...taken } = takeFrom(this.fullAtMs.get(bucket) ?? 0, limit, wanted, nowMs);
    this.fullAtMs.set(bucket, fullAtMs);
    this.sweepLater();
    return taken;
  }

  override async reserve(counter: string, count: number, above: number): Promise<number> {
    const last = Math.max(this.counters.get(counter) ?? 0, above);
    this.counters.set(counter, last + count);
    return last + 1;
  }

  override async publish(channel: string, message: Buffer): Promise<void> {
    for (const listener of this.listeners.get(channel) ?? []) queueMicrotask(() => listener(message));
  }

  override async subscribe(channel: string, listener: ChannelListener): Promise<() => void> {
    const listeners = this.listeners.get(channel) ?? new Set();
    this.listeners.set(channel, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(channel);
    };
  }

  override health(): SharedStateHealth {
    return { ok: true, detail: 'in this process', losses: 0 };
  }

  override async close(): Promise<void> {
    this.sweeping?.cancel();
    this.sweeping = null;
    this.entries.clear();
    this.listeners.clear();
    this.fullAtMs.clear();
    this.bytes = 0;
  }

  private living(key: string): Buffer | null {
    const entry = this.entries.get(key);
    return entry === undefined || entry.endMs <= this.options.clock.elapsedMs() ? null : entry.value;
  }

  private delete(key: string): void {
    this.bytes -= this.entries.get(key)?.weight ?? 0;
    this.entries.delete(key);
  }

  private sweepLater(): void {
    if (this.sweeping !== null || this.entries.size + this.fullAtMs.size === 0) return;
    const { clock } = this.options;
    this.sweeping = clock.setTimer(sweepIntervalMs, () => {
      this.sweeping = null;
      const nowMs = clock.elapsedMs();
      for (const [key, { endMs }] of this.entries) if (endMs <= nowMs) this.delete(key);
      for (const [bucket, atMs] of this.fullAtMs) if (atMs <= nowMs) this.fullAtMs.delete(bucket);
      this.sweepLater();
    });
  }
}
