// A group's messages at other nodes: who they are, what is asked of them, and what it means when one does not answer.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { textOf } from '../../message/errors.js';
import { RecentMap } from '../../message/recent-map.js';
import { ThisNode } from '../../message/this-node.js';
import type { LeaseFault } from './mailbox.js';
import { Mailboxes, type OtherNode } from './mailboxes.js';
import { NodeLink } from './node-link.js';
import { signed } from './node-signature.js';

/** So long who reads for a group is taken for known; who looks for a node that is not among them asks again sooner. */
const knownMs = 1000;
const askAgainMs = 50;
/** An owner that says nothing within this time cannot be reached. */
const answerMs = 5000;
/** Groups, and nodes, that are remembered; twice as many at the most. */
const maxKnown = 1024;
/** Of one node that fails is told so often. */
const tellEveryMs = 10_000;

interface Known {
  readonly nodes: readonly OtherNode[];
  readonly atMs: number;
}

/** Of each lease that the errand is about, by its name; those that are missing are done. */
export type Faults = ReadonlyMap<string, LeaseFault>;

@Injectable()
export class OtherNodes {
  private readonly log = new Logger('OtherNodes');
  private readonly known = new RecentMap<string, Known>(maxKnown);
  private readonly asking = new Map<string, Promise<Known | null>>();
  private readonly links = new Map<string, NodeLink>();
  private readonly toldMs = new RecentMap<string, number>(maxKnown);

  constructor(
    private readonly mailboxes: Mailboxes,
    private readonly node: ThisNode,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** False where this node asks no other one. */
  get areAsked(): boolean {
    return this.configWatch.settings.cluster.secret !== null;
  }

  /** Those that read for the group; none while nobody can say. Never rejects. */
  async of(group: string): Promise<readonly OtherNode[]> {
    if (!this.areAsked) return [];
    return ((await this.knownOf(group, knownMs)) ?? this.known.get(group))?.nodes ?? [];
  }

  /** The one of that name; null: there is none any more; undefined: nobody can say now. Never rejects. */
  async find(group: string, id: string): Promise<OtherNode | null | undefined> {
    const found = (await this.of(group)).find((node) => node.id === id);
    if (found !== undefined) return found;
    const known = await this.knownOf(group, askAgainMs);
    return known === null ? undefined : (known.nodes.find((node) => node.id === id) ?? null);
  }

  /** Up to `max` messages, as the answer that whoever asked gets; null: there are none. Rejects when the node gave no answer. */
  async pull(
    node: OtherNode,
    group: string,
    caller: string,
    order: { readonly max: number; readonly waitMs: number; readonly leaseMs: number | null },
    gone: AbortSignal,
  ): Promise<Buffer | null> {
    const { max, waitMs, leaseMs } = order;
    const lease = leaseMs === null ? {} : { leaseSeconds: leaseMs / 1000 };
    const body = { max, waitSeconds: waitMs / 1000, ...lease };
    const answer = await this.ask(node, group, 'pull', caller, body, waitMs + answerMs, gone);
    return answer.equals(noMessages) ? null : answer;
  }

  /** Ack, nack or extend: what it was not done with. Who cannot be reached has done none, as far as anybody knows. Never rejects. */
  async settle(
    node: OtherNode,
    group: string,
    verb: string,
    caller: string,
    body: { readonly leases: readonly string[]; readonly [field: string]: unknown },
  ): Promise<Faults> {
    try {
      const answer = await this.ask(node, group, verb, caller, body, answerMs);
      const { failed = [] } = JSON.parse(answer.toString('utf8')) as { failed?: (LeaseFault & { lease: string })[] };
      return new Map(failed.map(({ lease, code, detail }) => [lease, { code, detail }]));
    } catch (error) {
      return new Map(body.leases.map((lease) => [lease, unreachable(`${node.address} has it: ${textOf(error)}`)]));
    }
  }

  close(): void {
    for (const link of this.links.values()) link.close();
    this.links.clear();
  }

  private async ask(
    { id, address }: OtherNode,
    group: string,
    verb: string,
    caller: string,
    asked: object,
    boundMs: number,
    gone?: AbortSignal,
  ): Promise<Buffer> {
    const path = `/v1/subscriptions/${encodeURIComponent(group)}/${verb}`;
    const body = Buffer.from(JSON.stringify(asked));
    const secret = this.configWatch.settings.cluster.secret ?? '';
    const headers = signed({ from: this.node.id, to: id, path, caller, body }, secret, this.clock.now());
    const late = new AbortController();
    const timer = this.clock.setTimer(boundMs, () => late.abort(new Error(`no answer within ${boundMs} ms`)));
    const signal = gone === undefined ? late.signal : AbortSignal.any([gone, late.signal]);
    try {
      const answer = await this.linkTo(address).post(path, headers, body, signal);
      if (answer.status === 200) return answer.body;
      throw new Error(`it answered ${answer.status}: ${answer.body.toString('utf8', 0, 300)}`);
    } catch (error) {
      const cause: unknown = late.signal.aborted ? late.signal.reason : error;
      if (gone?.aborted !== true) this.failed(address, cause);
      throw cause;
    } finally {
      timer.cancel();
    }
  }

  private linkTo(address: string): NodeLink {
    let link = this.links.get(address);
    if (link === undefined) {
      for (const [other, oldest] of this.links) {
        if (this.links.size < maxKnown) break;
        oldest.close();
        this.links.delete(other);
      }
      link = new NodeLink(address, this.configWatch.settings);
      this.links.set(address, link);
    }
    return link;
  }

  /** Certificates may have changed: the next request makes another link; whoever still waits on this one does so. */
  private failed(address: string, error: unknown): void {
    const nowMs = this.clock.elapsedMs();
    this.links.delete(address);
    if (nowMs - (this.toldMs.get(address) ?? Number.NEGATIVE_INFINITY) < tellEveryMs) return;
    this.toldMs.set(address, nowMs);
    this.log.warn({ msg: 'another node gives no answer', address, error: textOf(error) });
  }

  /** Null while nobody can say. Questions at the same time share an answer. */
  private knownOf(group: string, maxAgeMs: number): Promise<Known | null> {
    const known = this.known.get(group);
    if (known !== undefined && this.clock.elapsedMs() - known.atMs < maxAgeMs) return Promise.resolve(known);
    let asking = this.asking.get(group);
    if (asking === undefined) {
      asking = this.askWho(group).finally(() => this.asking.delete(group));
      this.asking.set(group, asking);
    }
    return asking;
  }

  private async askWho(group: string): Promise<Known | null> {
    const atMs = this.clock.elapsedMs();
    try {
      const known = { nodes: await this.mailboxes.otherNodes(group), atMs };
      this.known.set(group, known);
      return known;
    } catch {
      return null;
    }
  }
}

const noMessages = Buffer.from('{"messages":[]}');

export const unreachable = (detail: string): LeaseFault => ({ code: 'unreachable', detail });
