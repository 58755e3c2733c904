// One request for messages.
import { Link } from '../../message/linked-set.js';
import type { Lease } from './lease.js';
import type { Taker } from './mailbox.js';

/** Bodies in one answer; it ends with the message that passes it. */
const maxBytes = 4 * 1_048_576;

export interface PullOrder {
  readonly caller: string;
  /** At most so many. */
  readonly max: number;
  readonly waitMs: number;
  /** null: as long as the subscription says. */
  readonly leaseMs: number | null;
}

export class Pull implements Taker {
  readonly takesTurns = false;
  readonly leases: Lease[] = [];
  readonly link: Link<Taker> = new Link<Taker>(this);
  readonly caller: string;
  readonly leaseMs: number | null;
  wants: number;
  readonly ended: Promise<void>;
  /** Twice is fine. */
  readonly end: () => void;
  private bytes = 0;

  constructor({ caller, max, leaseMs }: PullOrder) {
    this.caller = caller;
    this.leaseMs = leaseMs;
    this.wants = max;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.end = resolve;
  }

  get hasSome(): boolean {
    return this.leases.length > 0;
  }

  take(lease: Lease): void {
    this.leases.push(lease);
    this.bytes += lease.delivery.source.body.length;
    this.wants = this.bytes >= maxBytes ? 0 : this.wants - 1;
    // Whatever else is ready now comes along: it ends after those who give are through.
    this.end();
  }
}
