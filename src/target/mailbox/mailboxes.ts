// The mailboxes of all groups whose messages are fetched, and who may wait before them.
import { Injectable } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { BigpipeError } from '../../message/errors.js';
import { ThisNode } from '../../message/this-node.js';
import { Stats } from '../../stats/stats.js';
import type { Lease } from './lease.js';
import { Mailbox, type MailboxCounters } from './mailbox.js';
import { Pull, type PullOrder } from './pull.js';

/** What whoever delivers says of a group. */
export interface GroupView {
  /** Whether the messages of one of its subscriptions are fetched. */
  readonly isPulled: boolean;
  /** Of these subscriptions, at this node now. */
  readonly partitions: number;
  /** How long a message of theirs is leased if nobody says. */
  readonly leaseMs: number;
}

/** Another process that reads for a group. */
export interface OtherNode {
  readonly id: string;
  /** An origin. */
  readonly address: string;
  /** Of the group, at that node. */
  readonly partitions: number;
}

/** What is known only to whoever delivers. */
export interface GroupSight {
  /** Null when there is no such group. */
  view(groupId: string): GroupView | null;
  /** Rejects while nobody can say. */
  otherNodes(groupId: string): Promise<readonly OtherNode[]>;
}

@Injectable()
export class Mailboxes {
  private readonly counters: MailboxCounters = {
    pulled: 0,
    acked: 0,
    nacked: 0,
    rejected: 0,
    expired: 0,
    takenBack: 0,
    refused: 0,
  };
  private readonly byGroup = new Map<string, Mailbox>();
  private readonly waiting = new Set<Pull>();
  private streams = 0;
  private elsewhere = 0;
  private sight: GroupSight = { view: () => null, otherNodes: async () => [] };
  private closed = false;

  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly node: ThisNode,
    stats: Stats,
  ) {
    stats.register('pullStats', () => ({
      waiting: this.waiting.size,
      streams: this.streams,
      elsewhere: this.elsewhere,
      leased: this.leased,
      ...this.counters,
    }));
  }

  /** Called once, by whoever delivers. */
  follow(sight: GroupSight): void {
    this.sight = sight;
  }

  /** Null when there is no such group. */
  view(groupId: string): GroupView | null {
    return this.sight.view(groupId);
  }

  /** The other processes that read for the group. Rejects while nobody can say. */
  otherNodes(groupId: string): Promise<readonly OtherNode[]> {
    return this.sight.otherNodes(groupId);
  }

  /** To be asked only for groups that there are. */
  of(groupId: string): Mailbox {
    let mailbox = this.byGroup.get(groupId);
    if (mailbox === undefined) {
      for (const [group, other] of this.byGroup) if (other.isIdle) this.byGroup.delete(group);
      mailbox = new Mailbox(this.node.id, this.clock, this.counters);
      this.byGroup.set(groupId, mailbox);
    }
    return mailbox;
  }

  /**
   * What is ready, at once, or what comes first within the order's time; nothing when nothing came, or `gone` aborts. Rejects
   * with `overloaded` when too many wait, and with `closed`.
   */
  async pull(groupId: string, order: PullOrder, gone: AbortSignal): Promise<readonly Lease[]> {
    if (this.closed) throw new BigpipeError('closed', 'bigpipe is draining');
    const { maxWaitMs } = this.configWatch.settings.pull;
    const mailbox = this.of(groupId);
    const pull = new Pull(order);
    mailbox.join(pull);
    const waitMs = Math.min(order.waitMs, maxWaitMs);
    if (pull.hasSome || waitMs <= 0) {
      mailbox.leave(pull);
      return pull.leases;
    }
    if (!this.hasRoom) {
      mailbox.leave(pull);
      throw this.full();
    }
    this.waiting.add(pull);
    const timer = this.clock.setTimer(waitMs, () => pull.end());
    gone.addEventListener('abort', () => pull.end());
    await pull.ended;
    timer.cancel();
    this.waiting.delete(pull);
    mailbox.leave(pull);
    return pull.leases;
  }

  /** For whoever stays until he calls `leave`, once; null when as many wait as may. */
  enter(groupId: string): { readonly mailbox: Mailbox; readonly leave: () => void } | null {
    if (!this.hasRoom) return null;
    this.streams += 1;
    const leave = () => {
      this.streams -= 1;
    };
    return { mailbox: this.of(groupId), leave };
  }

  /** For whoever waits at another node, until he calls what it returns. Throws `overloaded` when too many wait. */
  waitElsewhere(): () => void {
    if (!this.hasRoom) throw this.full();
    this.elsewhere += 1;
    return () => {
      this.elsewhere -= 1;
    };
  }

  /** Nobody waits any more. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Who waits is answered, and nobody waits any more. Twice is fine. */
  stopWaiting(): void {
    this.closed = true;
    for (const pull of this.waiting) pull.end();
  }

  /** The doors are closed: nobody can say any more how it went with what is leased, which is delivered again. */
  takeBack(): void {
    for (const mailbox of this.byGroup.values()) mailbox.takeBack();
  }

  private get hasRoom(): boolean {
    return this.waiting.size + this.streams + this.elsewhere < this.configWatch.settings.pull.maxWaiting;
  }

  private full(): BigpipeError {
    const { maxWaiting } = this.configWatch.settings.pull;
    return new BigpipeError('overloaded', `${maxWaiting} requests wait for messages already`);
  }

  private get leased(): number {
    let leased = 0;
    for (const mailbox of this.byGroup.values()) leased += mailbox.leased;
    return leased;
  }
}
