// Shared state of all nodes that use one Redis.
import { Redis, type RedisOptions } from 'ioredis';
import type { Clock, Timer } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { BucketLimit, Taken } from '../../bucket.js';
import { type ChannelListener, SharedState, type SharedStateHealth } from '../../shared-state.js';
import { type ScriptedRedis, scripts } from './scripts.js';

const connectTimeoutMs = 2000;
const commandTimeoutMs = 500;
const longestRetryMs = 1000;
const firstRetryMs = 50;
/** While it does not answer. */
const askIntervalMs = 500;

export interface RedisStateOptions {
  /** redis://name:secret@host:6379/0, or rediss:// over TLS. */
  readonly url: string;
  /** Before every key and channel, so that several fleets can use one Redis. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Error undefined: it is well again. */
  readonly report: (text: string, error: unknown) => void;
  /** Told when Redis is lost, and whenever somebody has to do without it. */
  readonly count?: (what: 'lost' | 'alone') => void;
}

/** Calls of one turn of the event loop go together. What was under way when a connection breaks is not sent again. */
export class RedisSharedState extends SharedState {
  override readonly scope = 'cluster';
  private readonly redis: ScriptedRedis;
  /** Redis lets a connection that listens do nothing else. */
  private readonly listening: Redis;
  private readonly listeners = new Map<string, Set<ChannelListener>>();
  private lastError = 'not open yet';
  private isLost = false;
  private losses = 0;
  private asking: Timer | null = null;
  private closed = false;

  constructor(private readonly options: RedisStateOptions) {
    super();
    const common: RedisOptions = {
      lazyConnect: true,
      connectTimeout: connectTimeoutMs,
      commandTimeout: commandTimeoutMs,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(times, 10)),
    };
    this.redis = new Redis(options.url, { ...common, enableAutoPipelining: true, scripts }) as ScriptedRedis;
    this.listening = new Redis(options.url, { ...common, autoResubscribe: false });
    for (const connection of [this.redis, this.listening]) {
      connection.on('error', (error: unknown) => this.failed(error));
      connection.on('close', () => this.failed(new Error('the connection was closed')));
    }
    this.listening.on('ready', () => this.subscribeAll());
    this.listening.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const listener of this.listeners.get(channel.toString()) ?? []) listener(message);
    });
  }

  override async open(): Promise<void> {
    const connections = [this.redis, this.listening];
    await Promise.all(connections.map((one) => one.connect().catch((error: unknown) => this.failed(error))));
  }

  override get(key: string): Promise<Buffer | null> {
    return this.ask(() => this.redis.getBuffer(this.named(key)));
  }

  override async set(key: string, value: Buffer, ttlMs: number): Promise<void> {
    await this.ask(() => this.redis.set(this.named(key), value, 'PX', ttlMs));
  }

  override claim(key: string, value: Buffer, ttlMs: number): Promise<Buffer | null> {
    return this.ask(() => this.redis.setBuffer(this.named(key), value, 'PX', ttlMs, 'NX', 'GET'));
  }

  override async remove(key: string): Promise<void> {
    await this.ask(() => this.redis.del(this.named(key)));
  }

  override async removeIf(key: string, value: Buffer): Promise<boolean> {
    return (await this.ask(() => this.redis.removeIf(this.named(key), value))) === 1;
  }

  override async take(bucket: string, { perSecond, burst }: BucketLimit, wanted: number): Promise<Taken> {
    const [granted, waitMs] = await this.ask(() => this.redis.takeTokens(this.named(bucket), perSecond, burst, wanted));
    return { granted, waitMs: Number(waitMs) };
  }

  override async reserve(counter: string, count: number, above: number): Promise<number> {
    const last = await this.ask(() => this.redis.reserve(this.named(counter), count, above));
    return last - count + 1;
  }

  override async publish(channel: string, message: Buffer): Promise<void> {
    await this.ask(() => this.redis.publish(this.named(channel), message));
  }

  override async subscribe(channel: string, listener: ChannelListener): Promise<() => void> {
    const name = this.named(channel);
    const listeners = this.listeners.get(name) ?? new Set();
    // Before the answer: when the connection breaks in between it is asked for again.
    this.listeners.set(name, listeners.add(listener));
    const end = () => this.unsubscribe(name, listener);
    try {
      await this.ask(() => this.listening.subscribe(name));
      return end;
    } catch (error) {
      end();
      throw error;
    }
  }

  override isWorthAsking(): boolean {
    const { ok } = this.health();
    if (!ok) this.options.count?.('alone');
    return ok;
  }

  override health(): SharedStateHealth {
    const ok = this.isConnected && !this.isLost;
    const detail = ok ? 'connected to Redis' : `Redis does not answer: ${this.lastError}`;
    return { ok, detail, losses: this.losses };
  }

  override async close(): Promise<void> {
    this.closed = true;
    this.asking?.cancel();
    this.redis.disconnect();
    this.listening.disconnect();
  }

  private get isConnected(): boolean {
    return this.redis.status === 'ready' && this.listening.status === 'ready';
  }

  private unsubscribe(name: string, listener: ChannelListener): void {
    const listeners = this.listeners.get(name);
    listeners?.delete(listener);
    if (listeners?.size !== 0) return;
    this.listeners.delete(name);
    // Without a connection nobody listens any more.
    this.listening.unsubscribe(name).catch(() => undefined);
  }

  private subscribeAll(): void {
    const names = [...this.listeners.keys()];
    if (names.length > 0) this.listening.subscribe(...names).catch((error: unknown) => this.failed(error));
  }

  private async ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await this.tried(command);
    } catch (error) {
      this.options.count?.('alone');
      throw new BigpipeError('unavailable', `Redis does not answer: ${textOf(error)}`, { cause: error });
    }
  }

  private async tried<T>(command: () => Promise<T>): Promise<T> {
    try {
      const answer = await command();
      this.recovered();
      return answer;
    } catch (error) {
      // One that is frozen keeps its connections.
      this.failed(error);
      throw error;
    }
  }

  private failed(error: unknown): void {
    if (this.closed) return;
    this.lastError = textOf(error);
    if (this.isLost) return;
    this.isLost = true;
    this.losses += 1;
    this.options.count?.('lost');
    this.askLater();
    this.options.report(
      'Redis does not answer: until it does each node knows only its own keys, limits and answers',
      error,
    );
  }

  /** Nobody else may ask for long. */
  private askLater(): void {
    this.asking = this.options.clock.setTimer(askIntervalMs, () => {
      this.tried(() => this.redis.ping())
        .catch(() => undefined)
        .finally(() => {
          if (this.isLost && !this.closed) this.askLater();
        });
    });
  }

  private recovered(): void {
    if (!this.isLost || !this.isConnected) return;
    this.isLost = false;
    this.options.report('Redis answers again', undefined);
  }

  private named(name: string): string {
    return `${this.options.prefix}${name}`;
  }
}
