// One member's conversation with its group's coordinator: join, share out if it leads, heartbeat, join again.
import { type Clock, pause, within } from '../../../message/clock.js';
import { textOf } from '../../../message/errors.js';
import { remedyFor, typeOf } from './kafka-errors.js';
import type { KafkaLink } from './kafka-link.js';
import type { JoinAnswer, KafkaNode } from './kafka-requests.js';
import {
  type Claim,
  decodeClaim,
  decodeShare,
  encodeClaim,
  encodeShare,
  protocolName,
  type Share,
  share,
} from './sharing.js';

/** How long the coordinator waits for the members to join again; none of them waits for a delivery. */
const rebalanceTimeoutMs = 30_000;
const firstRetryMs = 100;
const longestRetryMs = 1000;
/** A coordinator that comes up, or moves, says for a moment that it is none: some three seconds of that are nothing to tell. */
const quietFailures = 5;
/** How often it is looked whether topics have grown. */
const topicsIntervalMs = 30_000;
const leaveBoundMs = 5000;
/**
 * How long Kafka takes to put another coordinator in a dead one's place (9 s until the dead one is noticed, then loading).
 * It knows the members and waits for each anew, so that silence alone means nothing before this is over too.
 */
const failoverMs = 15_000;
/** Between heartbeats while somebody has to give something back: the next round is near. */
const unsettledMs = 50;

export interface SessionSettings {
  readonly group: string;
  readonly topics: readonly string[];
  /** A member that is not heard of for so long has left. */
  readonly sessionTimeoutMs: number;
  readonly heartbeatMs: number;
}

export interface SessionEvents {
  /** What this member holds now. */
  claim(): Pick<Claim, 'held' | 'releasing' | 'node'>;
  /** A new share. Returns at once. */
  shared(share: Share): void;
  /** The group has gone on without this member: nothing is its own any more. Returns at once. */
  lost(): void;
  report(text: string, error: unknown): void;
}

export interface Identity {
  readonly memberId: string;
  readonly generation: number;
}

export class GroupSession {
  private memberId = '';
  private generation = -1;
  private joined = false;
  private isSettled = false;
  private heardMs: number;
  /** When the last question was asked that the coordinator has answered: from there on it waits for the next one. */
  private certainFromMs = Number.NEGATIVE_INFINITY;
  private round = 0;
  private wantsRejoin = false;
  private stopping = false;
  private failures = 0;
  private counts = '';
  private countedMs: number;
  private nap: AbortController | null = null;
  private running: Promise<void> | null = null;
  lastError = '';
  private toldError = '';

  constructor(
    private readonly link: KafkaLink,
    private readonly shared: KafkaLink,
    private readonly clock: Clock,
    private readonly settings: SessionSettings,
    private readonly events: SessionEvents,
  ) {
    this.heardMs = clock.elapsedMs();
    this.countedMs = this.heardMs;
  }

  start(): void {
    this.running = this.run();
  }

  /** Null while it is no member. */
  get identity(): Identity | null {
    return this.joined ? { memberId: this.memberId, generation: this.generation } : null;
  }

  /** False once the coordinator may have given what is ours to somebody else: this process was stopped, or cut off, for too long. */
  get isCertain(): boolean {
    return this.joined && this.clock.elapsedMs() - this.certainFromMs < this.settings.sessionTimeoutMs;
  }

  /** What it holds has changed: the group shares out anew. */
  rejoin(): void {
    this.wantsRejoin = true;
    this.nap?.abort();
  }

  /** Asks the coordinator now. */
  hurry(): void {
    this.nap?.abort();
  }

  /** Leaves the group, so that the others need not wait for its time to run out. */
  async stop(): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    this.nap?.abort();
    const { memberId } = this;
    const { group } = this.settings;
    if (memberId !== '') {
      const left = this.shared.coordinatorOf(group).then((node) => node.leaveGroup({ groupId: group, memberId }));
      await within(this.clock, leaveBoundMs, left);
    }
    this.joined = false;
    if (this.running !== null) await within(this.clock, leaveBoundMs, this.running);
  }

  private async run(): Promise<void> {
    await this.open();
    while (!this.stopping) {
      try {
        await this.join();
        this.failures = 0;
        await this.beat();
      } catch (error) {
        await this.failed(error);
      }
    }
  }

  private async open(): Promise<void> {
    while (!this.stopping) {
      try {
        await this.link.open(this.settings.topics);
        return;
      } catch (error) {
        await this.failed(error);
      }
    }
  }

  private async join(): Promise<void> {
    const { group, sessionTimeoutMs, topics } = this.settings;
    this.wantsRejoin = false;
    this.round += 1;
    const claim = { topics, generation: this.generation, ...this.events.claim() };
    const node = await this.link.coordinatorOf(group);
    const askedMs = this.clock.elapsedMs();
    const answer = await node.joinGroup({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      memberId: this.memberId,
      groupProtocols: [{ name: protocolName, metadata: encodeClaim(claim, this.round) }],
    });
    this.memberId = answer.memberId;
    this.heard(askedMs);
    if (this.stopping) {
      await node.leaveGroup({ groupId: group, memberId: this.memberId });
      return;
    }
    await this.sync(node, answer);
  }

  private async sync(node: KafkaNode, { generationId, leaderId, memberId, members }: JoinAnswer): Promise<void> {
    const groupAssignment = leaderId === memberId ? await this.shareOut(members) : [];
    const askedMs = this.clock.elapsedMs();
    const { memberAssignment } = await node.syncGroup({
      groupId: this.settings.group,
      generationId,
      memberId,
      groupAssignment,
    });
    this.heard(askedMs);
    this.generation = generationId;
    this.joined = true;
    this.lastError = '';
    this.toldError = '';
    this.counts = this.countAll();
    const own = decodeShare(memberAssignment);
    this.isSettled = own.isSettled;
    this.events.shared(own);
  }

  private async shareOut(members: JoinAnswer['members']) {
    const claims = members.map(({ memberId, memberMetadata }) => decodeClaim(memberId, memberMetadata));
    await this.link.watch([...new Set(claims.flatMap(({ topics }) => topics))]);
    await this.link.refreshNow();
    const shares = share(claims, (topic) => this.link.partitionsOf(topic));
    return [...shares].map(([memberId, own]) => ({ memberId, memberAssignment: encodeShare(own) }));
  }

  /** Returns when it has to join again. */
  private async beat(): Promise<void> {
    const { group, heartbeatMs, sessionTimeoutMs } = this.settings;
    while (!this.stopping && !this.wantsRejoin) {
      await this.sleep(this.isSettled ? heartbeatMs : Math.min(heartbeatMs, unsettledMs));
      if (this.stopping || this.wantsRejoin) return;
      if (this.silenceMs > sessionTimeoutMs + failoverMs)
        throw new Error(`Kafka was silent for ${Math.round(this.silenceMs)} ms`);
      try {
        const node = await this.link.coordinatorOf(group);
        const askedMs = this.clock.elapsedMs();
        await node.heartbeat({ groupId: group, groupGenerationId: this.generation, memberId: this.memberId });
        this.heard(askedMs);
        this.failures = 0;
        this.lookForGrowth();
      } catch (error) {
        const remedy = remedyFor(error);
        if (remedy === 'rejoin') return;
        if (remedy === 'fenced') throw error;
        // Another coordinator knows this generation too.
        await this.again(error);
      }
    }
  }

  /** Partitions that were added elsewhere. Heartbeats do not wait for it. */
  private lookForGrowth(): void {
    if (this.clock.elapsedMs() - this.countedMs < topicsIntervalMs) return;
    this.countedMs = this.clock.elapsedMs();
    void this.link.refresh().then(() => {
      if (this.joined && !this.stopping && this.countAll() !== this.counts) this.rejoin();
    });
  }

  private countAll(): string {
    return this.settings.topics.map((topic) => this.link.partitionsOf(topic)).join(',');
  }

  private async failed(error: unknown): Promise<void> {
    if (this.stopping) return;
    const remedy = remedyFor(error);
    if (remedy === 'fenced' || this.silenceMs > this.settings.sessionTimeoutMs + failoverMs) {
      this.giveUp();
      this.events.report(`${this.settings.group}: no longer a member, joins again`, error);
    }
    if (remedy === 'rejoin') return;
    await this.again(error);
  }

  /** Whoever hears nothing for as long as any coordinator would wait must take everything for lost: it has a new owner. */
  private giveUp(): void {
    const wasMember = this.joined;
    this.memberId = '';
    this.generation = -1;
    this.joined = false;
    if (wasMember) this.events.lost();
    this.heardMs = this.clock.elapsedMs();
  }

  private async again(error: unknown): Promise<void> {
    const text = `${typeOf(error)}: ${textOf(error)}`;
    this.lastError = text;
    const remedy = remedyFor(error);
    const isTold = remedy !== 'coordinator' || this.failures >= quietFailures;
    // Once, not at every attempt.
    if (isTold && text !== this.toldError) {
      this.toldError = text;
      this.events.report(`${this.settings.group}: the coordinator cannot be reached, tries again`, error);
    }
    this.link.failed(error);
    this.link.forgetCoordinator(this.settings.group);
    if (remedy === 'retry') await this.link.refresh();
    const waitMs = Math.min(longestRetryMs, firstRetryMs * 2 ** this.failures);
    this.failures += 1;
    await this.sleep(waitMs);
  }

  private get silenceMs(): number {
    return this.clock.elapsedMs() - this.heardMs;
  }

  private heard(askedMs: number): void {
    this.heardMs = this.clock.elapsedMs();
    this.certainFromMs = askedMs;
  }

  private async sleep(ms: number): Promise<void> {
    if (this.stopping) return;
    this.nap = new AbortController();
    await pause(this.clock, ms, this.nap.signal);
    this.nap = null;
  }
}
