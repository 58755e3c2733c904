// Ids for messages whose caller gave none: of chance, or numbers that no other node gives.
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { textOf } from '../message/errors.js';
import { newMessageId } from '../message/message-id.js';
import { SharedState } from '../shared-state/shared-state.js';
import { Stats } from '../stats/stats.js';

const counter = 'message-ids';
/** Numbers are fetched in rows, the next one before the last has run out. */
const rowNumbers = 100;

/** Numbers in a row: `next` up to `end`, which is not among them. */
interface Row {
  next: number;
  readonly end: number;
}

/**
 * One node's numbers follow one another, several nodes' come in rows of a hundred. What a node had in hand when it ended is
 * never given. While nothing is shared an id is of chance, `msg_…`: nobody can take it for a number.
 */
@Injectable()
export class MessageIds implements OnModuleInit {
  private readonly log = new Logger(MessageIds.name);
  private readonly counters = { numbered: 0, fellBack: 0 };
  private readonly rows: Row[] = [];
  private highest = 0;
  private waiting = 0;
  private fetching: Promise<void> | null = null;
  private readonly isNumbering: boolean;

  constructor(
    { settings }: ConfigWatch,
    private readonly state: SharedState,
    stats: Stats,
  ) {
    this.isNumbering = settings.messageIds === 'counter';
    if (this.isNumbering) stats.register('messageIdStats', () => this.counters);
  }

  onModuleInit(): void {
    if (this.isNumbering) void this.fetch();
  }

  /** A promise only where there is no number in hand. Never rejects. */
  next(nowMs: number): string | Promise<string> {
    if (!this.isNumbering) return newMessageId(nowMs);
    return this.inHand() ?? this.fetched(nowMs);
  }

  private inHand(): string | null {
    const row = this.rows[0];
    if (row === undefined) return null;
    const number = row.next;
    row.next += 1;
    if (row.next === row.end) this.rows.shift();
    if (this.rows.length <= 1 && row.end - row.next <= rowNumbers / 2) void this.fetch();
    this.counters.numbered += 1;
    return String(number);
  }

  private async fetched(nowMs: number): Promise<string> {
    this.waiting += 1;
    try {
      // Others may have taken all of a row that came.
      while (this.state.isWorthAsking()) {
        await this.fetch();
        const id = this.inHand();
        if (id !== null) return id;
      }
    } finally {
      this.waiting -= 1;
    }
    this.counters.fellBack += 1;
    return newMessageId(nowMs);
  }

  /** Ends when the row is there, or cannot be had. */
  private fetch(): Promise<void> {
    this.fetching ??= this.fetchRow()
      .catch((error: unknown) => {
        this.log.debug({ msg: 'no numbers for ids', error: textOf(error) });
      })
      .finally(() => {
        this.fetching = null;
      });
    return this.fetching;
  }

  private async fetchRow(): Promise<void> {
    const count = Math.max(rowNumbers, this.waiting);
    // A counter that has lost its count gives no number again that is known here.
    const first = await this.state.reserve(counter, count, this.highest);
    this.highest = first + count - 1;
    this.rows.push({ next: first, end: first + count });
  }
}
