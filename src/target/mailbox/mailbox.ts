// One group's messages that are fetched: who waits for some, who holds which, and how each hold has ended.
import type { Clock } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import { type Link, LinkedSet } from '../../message/linked-set.js';
import type { Outcome } from '../../message/outcome.js';
import { ReleasingMap } from '../../message/releasing-map.js';
import { RunningAttempts } from '../running-attempts.js';
import { Lease, type LeaseEnd, type Nack } from './lease.js';

/** Ends that are remembered, for whoever comes too late or twice: so many to twice as many, some 150 bytes each. */
const maxEnded = 4096;

/** How a lease has ended, and whose it was. */
type Ended = ReadonlyMap<string, { readonly how: LeaseEnd; readonly caller: string }>;

/** Somebody who takes messages. */
export interface Taker {
  /** The name under which he came in. */
  readonly caller: string;
  /** null: as long as the subscription says. */
  readonly leaseMs: number | null;
  /** Others get one before he gets his next. */
  readonly takesTurns: boolean;
  /** How many more he takes now; while he is in, only `take` changes it. */
  readonly wants: number;
  /** Among those who take. */
  readonly link: Link<Taker>;
  take(lease: Lease): void;
}

export const leaseFaults = ['unknown', 'not-yours', 'over', 'unreachable'] as const;

/** Why a lease cannot be ended or extended. */
export interface LeaseFault {
  readonly code: (typeof leaseFaults)[number];
  readonly detail: string;
}

export interface MailboxCounters {
  pulled: number;
  acked: number;
  nacked: number;
  rejected: number;
  expired: number;
  takenBack: number;
  refused: number;
}

/**
 * Nothing lies here: an attempt begins only while somebody wants a message, and is his lease from the first moment. What
 * nobody wants waits where all else waits, and takes neither a slot nor a token meanwhile.
 */
export class Mailbox {
  private readonly takers = new LinkedSet<Taker>(({ link }) => link);
  private readonly wakes = new Set<() => void>();
  private readonly leases = new ReleasingMap<string, Lease>();
  private readonly running = new RunningAttempts();
  private ended = new Map<string, { readonly how: LeaseEnd; readonly caller: string }>();
  /** The older half goes at once. */
  private endedBefore: Ended = new Map();
  /** By all takers together. */
  private wanted = 0;
  /** Of these, for attempts that are about to begin. */
  private promised = 0;

  constructor(
    private readonly node: string,
    private readonly clock: Clock,
    private readonly counters: MailboxCounters,
  ) {}

  /** Messages in somebody's hands. */
  get leased(): number {
    return this.leases.size;
  }

  /** Nobody would miss it. */
  get isIdle(): boolean {
    return this.wakes.size === 0 && this.takers.size === 0 && this.leases.size === 0;
  }

  /** Calls `wake` when somebody wants messages, until the returned function is called. */
  listen(wake: () => void): () => void {
    this.wakes.add(wake);
    return () => this.wakes.delete(wake);
  }

  /** True for whoever may begin one attempt; `give` follows, or `giveBack`. */
  promise(): boolean {
    if (this.wanted <= this.promised) return false;
    this.promised += 1;
    return true;
  }

  giveBack(): void {
    this.promised -= 1;
  }

  /** Takers get messages in the order in which they came, each as many as he wants. What is ready comes before this returns. */
  join(taker: Taker): void {
    this.takers.add(taker);
    this.wanted += taker.wants;
    this.wake();
  }

  /** Twice is fine. */
  leave(taker: Taker): void {
    if (!this.takers.has(taker)) return;
    this.takers.delete(taker);
    this.wanted -= taker.wants;
  }

  /** The attempt that was promised begins. Resolves when the lease ends, which it does in a bounded time unless it is extended. */
  give(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    this.giveBack();
    if (signal.aborted) return Promise.resolve({ kind: 'aborted' });
    const taker = this.takers.first;
    if (taker === undefined) throw new Error('nobody wants what was promised');
    return new Promise((resolve) => {
      const running = this.running.under(signal);
      const lease = new Lease({
        node: this.node,
        clock: this.clock,
        delivery,
        caller: taker.caller,
        leaseMs: taker.leaseMs ?? delivery.settings.timeoutMs,
        ended: (_lease, how, outcome) => {
          running.end(started);
          this.over(lease, how);
          resolve(outcome);
        },
      });
      const started = running.begin(lease);
      this.leases.set(lease.id, lease);
      this.counters.pulled += 1;
      const before = taker.wants;
      taker.take(lease);
      this.wanted += taker.wants - before;
      if (taker.wants <= 0) this.leave(taker);
      else if (taker.takesTurns) this.takers.add(taker);
    });
  }

  /** Null: it is done, or was by the same caller before. */
  ack(id: string, caller: string): LeaseFault | null {
    const ended = this.endOf(id);
    if (ended?.how === 'acked' && ended.caller === caller) return null;
    return this.withLease(id, caller, (lease) => lease.ack());
  }

  nack(id: string, caller: string, nack: Nack): LeaseFault | null {
    return this.withLease(id, caller, (lease) => lease.nack(nack));
  }

  extend(id: string, caller: string, leaseMs: number): LeaseFault | null {
    return this.withLease(id, caller, (lease) => lease.extend(leaseMs));
  }

  /** Nobody can say any more how it went with what is leased. */
  takeBack(): void {
    for (const lease of Array.from(this.leases.values())) lease.abort();
  }

  private withLease(id: string, caller: string, use: (lease: Lease) => void): LeaseFault | null {
    const lease = this.leases.get(id);
    const ended = this.endOf(id);
    const known = lease ?? ended;
    if (known === undefined) {
      const detail =
        'no such lease: it is of another group, or of a node that is not asked or is gone, or ended long ago, or before a restart';
      return this.refuse('unknown', detail);
    }
    if (known.caller !== caller) return this.refuse('not-yours', 'the lease of somebody else');
    if (lease === undefined) return this.refuse('over', `the lease is over: ${ended?.how}`);
    use(lease);
    return null;
  }

  private refuse(code: LeaseFault['code'], detail: string): LeaseFault {
    this.counters.refused += 1;
    return { code, detail };
  }

  private over({ id, caller }: Lease, how: LeaseEnd): void {
    this.leases.delete(id);
    this.counters[how === 'taken back' ? 'takenBack' : how] += 1;
    if (this.ended.size >= maxEnded) {
      this.endedBefore = this.ended;
      this.ended = new Map();
    }
    this.ended.set(id, { how, caller });
  }

  private endOf(id: string) {
    return this.ended.get(id) ?? this.endedBefore.get(id);
  }

  /** Each subscription of the group in its turn, so that none is always the last. */
  private wake(): void {
    for (const wake of Array.from(this.wakes)) {
      if (this.wanted <= this.promised) return;
      this.wakes.delete(wake);
      this.wakes.add(wake);
      wake();
    }
  }
}
