// A group's messages for whoever fetches at this node, whichever node has them.
import { Injectable } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock, pause } from '../../message/clock.js';
import { BigpipeError } from '../../message/errors.js';
import { ThisNode } from '../../message/this-node.js';
import type { Lease, Nack } from './lease.js';
import { nodeOfLease } from './lease-id.js';
import type { LeaseFault, Mailbox } from './mailbox.js';
import { Mailboxes, type OtherNode } from './mailboxes.js';
import { type Faults, OtherNodes, unreachable } from './other-nodes.js';
import type { PullOrder } from './pull.js';

/** So long one waits at one node before the others are asked again what is ready there. */
const turnMs = 500;
/** Before nodes that gave no answer are asked again. */
const unreachedMs = 250;

/** Another node's answer as it is. */
export interface Foreign {
  readonly node: OtherNode;
  readonly answer: Buffer;
  readonly leases?: never;
}

/** Leases of this node, or of another one. */
export type Fetched = { readonly leases: readonly Lease[] } | Foreign;

/** What is done with some leases: here, and as another node is asked for it. */
export interface Errand {
  readonly leases: readonly string[];
  readonly verb: 'ack' | 'nack' | 'extend';
  /** Beside the leases, in the form of the door. */
  readonly form: object;
  readonly here: (mailbox: Mailbox, lease: string, caller: string) => LeaseFault | null;
}

export const ackErrand = (leases: readonly string[]): Errand => ({
  leases,
  verb: 'ack',
  form: {},
  here: (mailbox, lease, caller) => mailbox.ack(lease, caller),
});

/** The same everywhere that leases are nacked. */
export function nackErrand(leases: readonly string[], nack: Nack): Errand {
  const { waitMs, isRejected, detail } = nack;
  const delay = waitMs === null || isRejected ? {} : { delaySeconds: waitMs / 1000 };
  const form = { ...delay, reject: isRejected, ...(detail === '' ? {} : { reason: detail }) };
  return { leases, verb: 'nack', form, here: (mailbox, lease, caller) => mailbox.nack(lease, caller, nack) };
}

@Injectable()
export class WholeGroup {
  constructor(
    private readonly mailboxes: Mailboxes,
    private readonly others: OtherNodes,
    private readonly node: ThisNode,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** True when some of the group's partitions are here, or at a node that is asked. */
  async isReached(group: string): Promise<boolean> {
    return this.hasHere(group) || this.hasElsewhere(group);
  }

  hasHere(group: string): boolean {
    return (this.mailboxes.view(group)?.partitions ?? 0) > 0;
  }

  async hasElsewhere(group: string): Promise<boolean> {
    return (await this.owners(group)).length > 0;
  }

  /** False for what this node answers by itself. */
  mayBeElsewhere(lease: string): boolean {
    return this.others.areAsked && (nodeOfLease(lease) ?? this.node.id) !== this.node.id;
  }

  /**
   * What is ready at any node, at once, or what comes first within the order's time. Rejects as Mailboxes.pull does, and with
   * `unavailable` when all of the group is elsewhere and no owner answers.
   */
  async pull(group: string, order: PullOrder, gone: AbortSignal): Promise<Fetched> {
    const owners = await this.owners(group);
    if (owners.length === 0) return { leases: await this.mailboxes.pull(group, order, gone) };
    const endMs = this.clock.elapsedMs() + Math.min(order.waitMs, this.configWatch.settings.pull.maxWaitMs);
    const atOnce = { ...order, waitMs: 0 };
    for (;;) {
      const leases = await this.mailboxes.pull(group, atOnce, gone);
      if (leases.length > 0) return { leases };
      const nodes = inTurn(await this.owners(group));
      const there = await this.look(nodes, group, atOnce, gone);
      if (there.fetched !== null) return there.fetched;
      const leftMs = endMs - this.clock.elapsedMs();
      if (leftMs <= 0 && nodes.length > 0 && there.reached === null && !this.hasHere(group)) throw there.error;
      if (leftMs <= 0 || gone.aborted || this.mailboxes.isClosed) return { leases: [] };
      const turn = { ...order, waitMs: Math.min(leftMs, turnMs) };
      const came = await this.wait(there.reached, group, turn, gone);
      if (came !== null) return came;
    }
  }

  /** The same of other nodes only, for one turn; null: there is nothing. Rejects when none of them answers. */
  async pullElsewhere(group: string, order: PullOrder, gone: AbortSignal): Promise<Foreign | null> {
    const { fetched, reached, error } = await this.look(
      inTurn(await this.owners(group)),
      group,
      { ...order, waitMs: 0 },
      gone,
    );
    if (fetched !== null) return fetched;
    if (reached === null) throw error;
    if (order.waitMs <= 0 || gone.aborted) return null;
    return (await this.look([reached], group, order, gone)).fetched;
  }

  /** In the order of the leases: what each was not done with, null where it was. */
  async settle(group: string, caller: string, errand: Errand): Promise<readonly (LeaseFault | null)[]> {
    const mailbox = this.mailboxes.of(group);
    const elsewhere = await this.settleElsewhere(group, caller, errand);
    return errand.leases.map((lease) => {
      const faults = elsewhere.get(lease);
      return faults === undefined ? errand.here(mailbox, lease, caller) : (faults.get(lease) ?? null);
    });
  }

  /** He who had asked is gone: what another node has leased goes to somebody else. */
  giveBack(group: string, caller: string, { node, answer }: Foreign, reason: string): void {
    const { messages } = JSON.parse(answer.toString('utf8')) as { messages: readonly { lease: string }[] };
    const leases = messages.map(({ lease }) => lease);
    // Else the leases run out.
    void this.others.settle(node, group, 'nack', caller, { leases, delaySeconds: 0, reason });
  }

  private async owners(group: string): Promise<readonly OtherNode[]> {
    return (await this.others.of(group)).filter(({ partitions }) => partitions > 0);
  }

  /** What is ready at one of the nodes; else the first that said that it has nothing, and what the last one failed by. */
  private async look(nodes: readonly OtherNode[], group: string, order: PullOrder, gone: AbortSignal) {
    let reached: OtherNode | null = null;
    let error: unknown = new BigpipeError('unavailable', 'no other node answers');
    for (const node of nodes) {
      if (gone.aborted) break;
      try {
        const answer = await this.others.pull(node, group, order.caller, order, gone);
        if (answer !== null) return { fetched: { node, answer }, reached: node, error };
        reached ??= node;
      } catch (cause) {
        error = new BigpipeError(
          'unavailable',
          `the owner of the group's partitions gives no answer: ${node.address}`,
          {
            cause,
          },
        );
      }
    }
    return { fetched: null, reached, error };
  }

  /** For a turn: here, where some of the group is here, else at the other node. */
  private async wait(
    other: OtherNode | null,
    group: string,
    order: PullOrder,
    gone: AbortSignal,
  ): Promise<Fetched | null> {
    if (this.hasHere(group)) {
      const leases = await this.mailboxes.pull(group, order, gone);
      return leases.length > 0 ? { leases } : null;
    }
    const leave = this.mailboxes.waitElsewhere();
    try {
      if (other === null) await pause(this.clock, Math.min(order.waitMs, unreachedMs), gone);
      else return (await this.look([other], group, order, gone)).fetched;
    } finally {
      leave();
    }
    return null;
  }

  /** By lease: what became of it at the node that has it; leases of this node, and of none, are not among them. */
  private async settleElsewhere(group: string, caller: string, errand: Errand): Promise<ReadonlyMap<string, Faults>> {
    const { leases, verb, form } = errand;
    const foreign = leases.filter((lease) => this.mayBeElsewhere(lease));
    const done = new Map<string, Faults>();
    const askOf = async (id: string, own: readonly string[]) => {
      const node = await this.others.find(group, id);
      if (node === null) return;
      const faults =
        node === undefined
          ? new Map(own.map((lease) => [lease, unreachable('which node has it cannot be said now')]))
          : await this.others.settle(node, group, verb, caller, { leases: own, ...form });
      for (const lease of own) done.set(lease, faults);
    };
    await Promise.all(
      [...Map.groupBy(foreign, (lease) => nodeOfLease(lease) ?? '')].map(([id, own]) => askOf(id, own)),
    );
    return done;
  }
}

let turn = 0;

/** Each time another one is the first. */
function inTurn(nodes: readonly OtherNode[]): readonly OtherNode[] {
  if (nodes.length < 2) return nodes;
  turn = (turn + 1) % nodes.length;
  return [...nodes.slice(turn), ...nodes.slice(0, turn)];
}
