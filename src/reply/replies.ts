// Brings receivers' answers back to the callers that wait for them, whichever node delivers.
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock, pause } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { Reply } from '../message/reply.js';
import { SharedState } from '../shared-state/shared-state.js';
import { Stats } from '../stats/stats.js';
import { bytesOfReply, replyOf } from './reply-form.js';

/** After the channel could not be subscribed to. */
const retryMs = 1000;

const keyOf = (id: string) => `reply:${id}`;
const resultKeyOf = (key: string) => `result:${key}`;
/** Before a result: when it came. */
const timeBytes = 8;

/** A caller who waits. */
export interface Expected {
  /** Resolves to the reply, or to null when the time is over, it was given up, or bigpipe drains. */
  readonly reply: Promise<Reply | null>;
  /** Nobody waits any more. Twice, and after the end, is fine. */
  giveUp(): void;
}

/**
 * A reply is kept for a while and told at once to the node that waits for it; there is no polling. It is worth as much as
 * the shared state is: what is lost with that makes a caller wait in vain, never a delivery.
 */
@Injectable()
export class Replies {
  private readonly log = new Logger(Replies.name);
  /** Where this process hears of the replies that its callers wait for. */
  readonly channel = `replies:${randomUUID()}`;
  private readonly counters = { waiting: 0, replied: 0, late: 0, refused: 0, lost: 0, resultHits: 0, resultMisses: 0 };
  private readonly waiting = new Map<string, Set<(reply: Reply | null) => void>>();
  private readonly closing = new AbortController();
  private opening: Promise<void> | null = null;

  constructor(
    private readonly state: SharedState,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    stats: Stats,
  ) {
    stats.register('replyStats', () => ({ ...this.counters, scope: this.state.scope }));
  }

  /**
   * To be called before the message is stored, since its reply may come before that is answered. Null when too many wait,
   * or bigpipe drains. `waitMs` counts from now on.
   */
  expect(id: string, waitMs: number): Expected | null {
    const { maxWaiting } = this.configWatch.settings.reply;
    if (this.closing.signal.aborted || this.counters.waiting >= maxWaiting) {
      this.counters.refused += 1;
      return null;
    }
    this.opening ??= this.listen();
    return this.wait(id, waitMs);
  }

  /**
   * A delivery has ended whose caller waits at `channel`. `result`: of its message (messageHeader.cache), if its answer may be
   * given to others too; one that says no is not. Never rejects.
   */
  came(channel: string, reply: Reply, result?: string): void {
    const isHere = channel === this.channel;
    if (isHere) this.tell(reply);
    const bytes = bytesOfReply(reply);
    const key = keyOf(reply.id);
    const telling = [
      this.state.set(key, bytes, this.configWatch.settings.reply.ttlMs),
      // Of callers who come later, at any node.
      this.state.publish(key, bytes),
      ...(isHere ? [] : [this.state.publish(channel, bytes)]),
      ...this.keepResult(reply, bytes, result),
    ];
    Promise.all(telling).catch((error: unknown) => {
      this.counters.lost += 1;
      this.log.debug({ msg: 'a reply could not be kept', id: reply.id, error: textOf(error) });
    });
  }

  /** The answer to a call like this one, if it is kept. A state that cannot be reached has none. */
  async findResult(key: string): Promise<{ readonly reply: Reply; readonly ageMs: number } | null> {
    const bytes = this.state.isWorthAsking() ? await this.state.get(resultKeyOf(key)).catch(() => null) : null;
    const reply = bytes && replyOf(bytes.subarray(timeBytes));
    if (bytes === null || reply === null) {
      this.counters.resultMisses += 1;
      return null;
    }
    this.counters.resultHits += 1;
    return { reply, ageMs: Math.max(0, this.clock.now() - bytes.readDoubleBE()) };
  }

  /** The reply to a message that was sent before, if it is kept or comes within `waitMs`, before `gone`. Rejects with `unavailable`. */
  async find(id: string, waitMs: number, gone?: AbortSignal): Promise<Reply | null> {
    const key = keyOf(id);
    const found = await this.state.get(key);
    if (found !== null || waitMs <= 0) return found && replyOf(found);
    const expected = this.expect(id, waitMs);
    if (expected === null) return null;
    gone?.addEventListener('abort', () => expected.giveUp());
    let end = () => {};
    try {
      end = await this.state.subscribe(key, (bytes) => this.heard(bytes));
      // It may have come while nobody listened yet.
      const meanwhile = await this.state.get(key);
      if (meanwhile !== null) return replyOf(meanwhile);
      return await expected.reply;
    } finally {
      expected.giveUp();
      end();
    }
  }

  /** Who still waits is told that it takes longer. Twice is fine. */
  close(): void {
    this.closing.abort();
    for (const callers of this.waiting.values()) for (const tell of callers) tell(null);
  }

  private keepResult(reply: Reply, bytes: Buffer, result: string | undefined): Promise<void>[] {
    const [key, ttlMs] = result?.split(' ') ?? [];
    const isGood = reply.kind === 'answered' && reply.status >= 200 && reply.status < 300;
    if (key === undefined || !isGood || !(Number(ttlMs) >= 1)) return [];
    const time = Buffer.alloc(timeBytes);
    time.writeDoubleBE(this.clock.now());
    return [this.state.set(resultKeyOf(key), Buffer.concat([time, bytes]), Number(ttlMs))];
  }

  private wait(id: string, waitMs: number): Expected {
    const { promise, resolve } = Promise.withResolvers<Reply | null>();
    const callers = this.waiting.get(id) ?? new Set();
    this.waiting.set(id, callers);
    this.counters.waiting += 1;
    const end = (reply: Reply | null) => {
      if (!callers.delete(end)) return;
      timer.cancel();
      this.counters.waiting -= 1;
      if (callers.size === 0) this.waiting.delete(id);
      if (reply === null) this.counters.late += 1;
      else this.counters.replied += 1;
      resolve(reply);
    };
    const timer = this.clock.setTimer(waitMs, () => end(null));
    callers.add(end);
    return { reply: promise, giveUp: () => end(null) };
  }

  private heard(bytes: Buffer): void {
    const reply = replyOf(bytes);
    if (reply !== null) this.tell(reply);
  }

  private tell(reply: Reply): void {
    for (const tell of this.waiting.get(reply.id) ?? []) tell(reply);
  }

  /** Until it listens, replies of other nodes are late. Ends with the process. */
  private async listen(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        await this.state.subscribe(this.channel, (bytes) => this.heard(bytes));
        return;
      } catch {
        await pause(this.clock, retryMs, signal);
      }
    }
  }
}
