// What other nodes have of a subscriber's group: fetched there with a part of its credits, for as long as its stream lasts.
import { type Clock, pause } from '../../message/clock.js';
import type { LeaseFault } from '../../target/mailbox/mailbox.js';
import { nackErrand, type WholeGroup } from '../../target/mailbox/whole-group.js';
import { type ForeignMessage, foreignMessages } from './foreign-message.js';

/** At most so many with one request. */
const mostAtOnce = 1000;
/** Before it is looked again whether there are other nodes, and, with no credit to spare, what they have. */
const idleMs = 500;
/** Of one request about leases. */
const mostLeases = 1000;
/** Leases that nobody has spoken of are forgotten from so many on, once they are over. */
const manyHeld = 10_000;

const over = 'the stream of its subscriber has ended';
/** The node that had it is no more. */
const gone: LeaseFault = { code: 'unknown', detail: 'its node is gone' };

export interface FeedParts {
  readonly wholeGroup: WholeGroup;
  readonly clock: Clock;
  readonly group: string;
  readonly caller: string;
  /** null: as long as the subscription says. */
  readonly leaseMs: number | null;
  /** How many more the subscriber takes now. */
  readonly wants: () => number;
  /** So many of them are asked for elsewhere; with less than 0 that many come back. */
  readonly reserve: (credits: number) => void;
  readonly take: (message: ForeignMessage) => void;
}

export class ForeignFeed {
  private readonly stopping = new AbortController();
  /** In the subscriber's hands: until when, Unix milliseconds. */
  private readonly held = new Map<string, number>();

  constructor(private readonly parts: FeedParts) {}

  /** Never rejects; ends with `stop`. */
  async run(): Promise<void> {
    const { clock } = this.parts;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const hasCome = await this.turn().catch(() => false);
      if (!hasCome) await pause(clock, idleMs, signal);
    }
  }

  /** The subscriber is done with it, or it is no lease any more. */
  forget(lease: string): void {
    this.held.delete(lease);
  }

  /** All that it holds, for so long from now on. Never rejects. */
  async extend(leaseMs: number): Promise<void> {
    const { wholeGroup, group, caller, clock } = this.parts;
    const all = [...this.held.keys()];
    const form = { leaseSeconds: leaseMs / 1000 };
    const here = () => gone;
    for (let i = 0; i < all.length; i += mostLeases) {
      const leases = all.slice(i, i + mostLeases);
      const faults = await wholeGroup.settle(group, caller, { leases, verb: 'extend', form, here });
      for (const [at, lease] of leases.entries()) {
        const fault = faults[at] ?? null;
        if (fault === null) this.held.set(lease, clock.now() + leaseMs);
        else if (fault.code !== 'unreachable') this.held.delete(lease);
      }
    }
  }

  /** Leases that it held go back. Twice is fine. */
  stop(): void {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    const { wholeGroup, group, caller } = this.parts;
    const leases = [...this.held.keys()];
    for (let i = 0; i < leases.length; i += mostLeases) {
      const some = leases.slice(i, i + mostLeases);
      const nack = { waitMs: 0, isRejected: false, detail: over };
      void wholeGroup.settle(group, caller, nackErrand(some, nack)).catch(() => undefined);
    }
  }

  /** True when something came, or was waited for: then it goes on at once. */
  private async turn(): Promise<boolean> {
    const { wholeGroup, group, caller, leaseMs, wants, reserve } = this.parts;
    const { signal } = this.stopping;
    if (!(await wholeGroup.hasElsewhere(group))) return false;
    const isAlone = !wholeGroup.hasHere(group);
    const wanted = wants();
    const max = Math.min(mostAtOnce, isAlone ? wanted : Math.ceil(wanted / 2));
    if (max <= 0) return false;
    // The only credit is this node's too.
    const canWait = isAlone || max < wanted;
    reserve(max);
    let came = 0;
    try {
      const order = { caller, max, leaseMs, waitMs: canWait ? idleMs : 0 };
      const fetched = await wholeGroup.pullElsewhere(group, order, signal);
      if (fetched !== null && signal.aborted) wholeGroup.giveBack(group, caller, fetched, over);
      const messages = fetched === null || signal.aborted ? [] : foreignMessages(fetched.answer);
      came = messages.length;
      for (const message of messages) this.hand(message);
    } finally {
      reserve(came - max);
    }
    return came > 0 || canWait;
  }

  private hand(message: ForeignMessage): void {
    const nowMs = this.parts.clock.now();
    if (this.held.size >= manyHeld)
      for (const [lease, untilMs] of this.held) if (untilMs < nowMs) this.held.delete(lease);
    this.held.set(message.lease, Date.parse(message.leaseUntil));
    this.parts.take(message);
  }
}
