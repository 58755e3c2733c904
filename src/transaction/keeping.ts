// Keeps the log of transactions short: forgets what is over, carries what is old and undecided, says what nobody needs.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Clock } from '../message/clock.js';
import { packed } from './half-messages.js';
import { TransactionLog } from './transaction-log.js';
import { recordOf } from './transaction-record.js';
import type { Transaction } from './transaction-table.js';

const intervalMs = 2000;
/** A log shorter than this is left as it is. */
const shortLog = 10_000;
/** Of it, at most four fifths are records that nobody needs. */
const wornOut = 5;
/** In one append. */
const maxCarried = 50;
const maxRounds = 20;

@Injectable()
export class Keeping {
  private readonly log = new Logger('Transactions');
  private lookedMs = Number.NEGATIVE_INFINITY;
  private freedBelow = 0;

  constructor(
    private readonly records: TransactionLog,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** Called often; does something now and then. */
  async look(): Promise<void> {
    const nowMs = this.clock.elapsedMs();
    if (nowMs - this.lookedMs < intervalMs) return;
    this.lookedMs = nowMs;
    const { rememberMs, maxRemembered } = this.configWatch.settings.transaction;
    const { table } = this.records;
    table.forget(this.clock.now() - rememberMs, maxRemembered);
    for (let round = 0; round < maxRounds && this.isLong(); round += 1) if (!(await this.carry())) break;
    const free = table.mark(this.records.readUpTo);
    if (free <= this.freedBelow) return;
    await this.records.free(free);
    this.freedBelow = free;
  }

  private isLong(): boolean {
    const { table, readUpTo } = this.records;
    return readUpTo - table.mark(readUpTo) > Math.max(shortLog, wornOut * table.size);
  }

  /** Those that lie first, as long as they are undecided, are written anew behind all others; false when there is none. */
  private async carry(): Promise<boolean> {
    const first: Transaction[] = [];
    for (const one of this.records.table.all()) {
      if (first.length >= maxCarried || one.state.kind !== 'undecided') break;
      first.push(one);
    }
    const bodies = await Promise.all(first.map(async (one) => packed(await this.records.messagesOf(one))));
    const asOf = this.records.readUpTo - 1;
    const { epoch } = this.records;
    const carried = first.flatMap(({ id, caller, checkUrls, firstCheckMs, createdMs, state }, i) => {
      if (state.kind !== 'undecided') return [];
      const entry = { kind: 'carry', id, caller, checkUrls, firstCheckMs, createdMs, state, asOf, epoch } as const;
      return [recordOf(entry, bodies[i])];
    });
    if (carried.length === 0) return false;
    await this.records.writeAsKeeper(carried);
    this.log.debug({ msg: 'undecided transactions carried to the end of their log', carried: carried.length });
    return true;
  }
}
