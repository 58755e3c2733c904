// Which messages their callers have cancelled: durable records that every node reads, asked before each attempt.
import { Injectable, Logger } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { SharedLog } from '../broker/shared-log.js';
import { Clock } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import { cancelTopic } from '../message/side-topic.js';

/** More cancelled messages are not remembered at the same moment. */
const maxCancelled = 100_000;
/** So long behind its time a cancelled message may still be waiting somewhere; later it would be sent after all. */
const keptMs = 7 * 86_400_000;
/** How many records nobody needs make it worth saying so. */
const freeAfter = 1000;

interface CancelRecord {
  readonly id: string;
  readonly untilMs: number;
}

@Injectable()
export class CancelLog {
  private readonly log = new Logger(CancelLog.name);
  /** Until when each is remembered, and where its record stands; the oldest record first. */
  private readonly cancelled = new Map<string, { readonly untilMs: number; readonly offset: bigint }>();
  private readonly records: SharedLog;
  private freedBelow = 0n;

  constructor(
    broker: Broker,
    private readonly clock: Clock,
  ) {
    this.records = new SharedLog(broker, cancelTopic, ({ body, offset }) => {
      const record = recordOf(body);
      if (record === null)
        this.log.error({ msg: 'a record of a cancelled message cannot be read', offset: `${offset}` });
      else this.cancelled.set(record.id, { untilMs: record.untilMs, offset });
    });
  }

  /** All that was cancelled before is known once it resolves. */
  async open(): Promise<void> {
    await this.records.open();
    this.forget();
  }

  close(): Promise<void> {
    return this.records.close();
  }

  has(id: string): boolean {
    return this.cancelled.size > 0 && this.cancelled.has(id);
  }

  /**
   * Resolves once it is durable and in force here; other nodes hear of it within moments. `notBeforeMs`: when the message
   * is due. Rejects as Broker.append does, with `overloaded` when too many are cancelled already.
   */
  async cancel(id: string, notBeforeMs: number): Promise<void> {
    if (this.has(id)) return;
    if (this.cancelled.size % freeAfter === 0 || this.cancelled.size >= maxCancelled) this.forget();
    if (this.cancelled.size >= maxCancelled) {
      throw new BigpipeError('overloaded', `${maxCancelled} messages are cancelled and not forgotten yet`);
    }
    const untilMs = Math.max(this.clock.now(), notBeforeMs) + keptMs;
    await this.records.write(Buffer.from(JSON.stringify({ id, untilMs } satisfies CancelRecord)));
  }

  /** Those whose time is over; and on disk all before the first that is still needed. */
  private forget(): void {
    const nowMs = this.clock.now();
    for (const [id, { untilMs }] of this.cancelled) if (untilMs <= nowMs) this.cancelled.delete(id);
    const [first] = this.cancelled.values();
    const below = first?.offset ?? this.records.end;
    if (below - this.freedBelow < BigInt(freeAfter)) return;
    this.freedBelow = below;
    this.records.free(below).catch((error: unknown) => {
      this.log.error({ msg: 'records of cancelled messages could not be freed', err: error });
    });
  }
}

function recordOf(body: Buffer): CancelRecord | null {
  try {
    const { id, untilMs } = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
    return typeof id === 'string' && typeof untilMs === 'number' ? { id, untilMs } : null;
  } catch {
    return null;
  }
}
