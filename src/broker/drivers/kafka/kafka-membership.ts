// One member of a group on Kafka: what it owns, what its handlers are told, and giving back without a gap for the others.
import { type Clock, pause, within } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { ThisNode } from '../../../message/this-node.js';
import {
  type Assignment,
  type CommittedOffset,
  type GroupHandlers,
  Membership,
  type TopicPartition,
} from '../../broker.js';
import type { OffsetStore } from '../../offset-store.js';
import { CommitQueue } from './commit-queue.js';
import { Fetcher, type FetchSettings } from './fetcher.js';
import { GroupSession, type SessionSettings } from './group-session.js';
import type { KafkaLink } from './kafka-link.js';
import type { OffsetCache } from './offset-cache.js';
import { PartitionReader } from './partition-reader.js';
import type { NodeClaim, Partitions, Share } from './sharing.js';
import { startPlaces } from './start-places.js';

/** A member that does not give a partition back within this time loses it all the same; its late commits are fenced. */
const revokeBoundMs = 30_000;
/** How long `join` waits for those who have to give something back; the member goes on joining behind it. */
const joinBoundMs = 45_000;
const placesRetryMs = 200;

/** gaining: ours, not handed over yet. releasing: on its way to somebody else. fenced: given back, or somebody else may have it already. */
interface Owned {
  readonly partition: TopicPartition;
  state: 'gaining' | 'active' | 'releasing' | 'fenced';
  reader: PartitionReader | null;
}

export interface MembershipParts {
  /** Of this member alone: joining and fetching hold up whatever else uses a connection. */
  readonly link: KafkaLink;
  readonly shared: KafkaLink;
  readonly offsets: OffsetCache;
  readonly clock: Clock;
  readonly session: SessionSettings;
  readonly node: ThisNode | null;
  readonly offsetStore: OffsetStore | null;
  readonly fetch: FetchSettings;
  readonly report: (text: string, error: unknown) => void;
  /** Retention took so many before the group had settled them. */
  readonly taken: (messages: bigint) => void;
  readonly unreadable: () => void;
  readonly left: (membership: KafkaMembership) => void;
}

/** How a member stands, for /stats. */
export interface MembershipRow {
  readonly group: string;
  readonly memberId: string;
  readonly generation: number;
  readonly assigned: readonly string[];
  readonly bufferedBytes: number;
  readonly lastError: string;
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

export class KafkaMembership extends Membership {
  readonly topics: readonly string[];
  private readonly owned = new Map<string, Owned>();
  private readonly session: GroupSession;
  private readonly fetcher: Fetcher;
  private readonly commits: CommitQueue;
  private target: ReadonlySet<string> = new Set();
  /** Takeovers come one after another. */
  private changing: Promise<void> = Promise.resolve();
  private leaving: Promise<void> | null = null;
  private settle: () => void = () => undefined;
  private readonly isSettled: Promise<void>;

  constructor(
    private readonly parts: MembershipParts,
    private readonly handlers: GroupHandlers,
  ) {
    super();
    const { link, shared, clock, session, fetch, offsets, report } = parts;
    this.topics = session.topics;
    this.isSettled = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.session = new GroupSession(link, shared, clock, session, {
      claim: () => ({
        held: this.held('gaining', 'active'),
        releasing: this.held('releasing'),
        node: this.nodeNow,
      }),
      shared: (share) => this.take(share),
      lost: () => this.lose(),
      report,
    });
    this.fetcher = new Fetcher(link, clock, fetch, () => this.readers(), {
      end: (partition, end) => offsets.raiseEnd(partition, end),
      taken: parts.taken,
      unreadable: parts.unreadable,
      report,
    });
    this.commits = new CommitQueue(shared, clock, {
      group: session.group,
      identity: () => this.session.identity,
      owns: (partition) => this.owns(partition),
      committed: (partition, committed) => this.committed(partition, committed),
      doubted: () => this.session.hurry(),
    });
  }

  override get group(): string {
    return this.parts.session.group;
  }

  /** Resolves when the group has settled with this member in it, or after a bound. */
  async start(): Promise<void> {
    this.session.start();
    if (await within(this.parts.clock, joinBoundMs, this.isSettled)) return;
    this.parts.report(`${this.group} has not settled within ${joinBoundMs} ms, goes on joining`, undefined);
  }

  /** Partitions were added to one of its topics, or where this process is reached has changed. */
  grown(): void {
    this.session.rejoin();
  }

  get row(): MembershipRow {
    const { memberId = '', generation = -1 } = this.session.identity ?? {};
    const assigned = [...this.owned].filter(([, { state }]) => state === 'active').map(([name]) => name);
    const bufferedBytes = [...this.readers()].reduce((sum, { bytes }) => sum + bytes, 0);
    return { group: this.group, memberId, generation, assigned, bufferedBytes, lastError: this.session.lastError };
  }

  override pause(partition: TopicPartition): void {
    this.owned.get(nameOf(partition))?.reader?.pause();
  }

  override resume(partition: TopicPartition): void {
    this.owned.get(nameOf(partition))?.reader?.resume();
  }

  override commit(partition: TopicPartition, committed: CommittedOffset): Promise<void> {
    if (this.owns(partition)) return this.commits.commit(partition, committed);
    return Promise.reject(new BigpipeError('fenced', `${this.group} no longer owns ${nameOf(partition)} here`));
  }

  override leave(): Promise<void> {
    this.leaving ??= this.giveAllBack();
    return this.leaving;
  }

  private committed(partition: TopicPartition, committed: CommittedOffset): void {
    const { offsets, offsetStore, report } = this.parts;
    offsets.setMark(this.group, partition, committed.offset);
    offsetStore?.save(this.group, partition, committed).catch((error: unknown) => {
      report(`${this.group}: the offset store has not taken a mark of ${nameOf(partition)}`, error);
    });
  }

  private async giveAllBack(): Promise<void> {
    const { clock, link, left } = this.parts;
    const readers = [...this.readers()];
    for (const reader of readers) reader.halt();
    this.fetcher.close();
    await within(clock, revokeBoundMs, this.changing);
    await within(clock, revokeBoundMs, Promise.all(readers.map((reader) => reader.stop())));
    await this.commits.drained();
    this.forget([...this.owned.values()]);
    await this.session.stop();
    await link.close();
    this.settle();
    left(this);
  }

  private forget(given: readonly Owned[]): void {
    for (const owned of given) {
      owned.state = 'fenced';
      this.owned.delete(nameOf(owned.partition));
    }
  }

  private owns(partition: TopicPartition): boolean {
    const owned = this.owned.get(nameOf(partition));
    return owned !== undefined && owned.state !== 'fenced';
  }

  private *readers(): Generator<PartitionReader> {
    for (const { reader } of this.owned.values()) if (reader !== null) yield reader;
  }

  private get nodeNow(): NodeClaim | null {
    const { id = '', address = null } = this.parts.node ?? {};
    return address === null ? null : { id, address };
  }

  private held(...states: readonly Owned['state'][]): Partitions {
    const held: Record<string, number[]> = {};
    for (const { partition, state } of this.owned.values()) {
      if (!states.includes(state)) continue;
      held[partition.topic] = [...(held[partition.topic] ?? []), partition.partition];
    }
    return held;
  }

  private take({ partitions, isSettled }: Share): void {
    if (this.leaving !== null) return;
    const target = this.topics.flatMap((topic) => (partitions[topic] ?? []).map((partition) => ({ topic, partition })));
    this.target = new Set(target.map(nameOf));
    const given: Owned[] = [];
    for (const [name, owned] of this.owned) {
      if (this.target.has(name) || owned.state === 'releasing' || owned.state === 'fenced') continue;
      owned.state = 'releasing';
      given.push(owned);
    }
    if (given.length > 0) void this.release(given);
    this.gain(target);
    if (isSettled) this.changing = this.changing.then(() => this.settle());
  }

  private gain(target: readonly TopicPartition[]): void {
    const gained: Owned[] = [];
    for (const partition of target) {
      if (this.owned.has(nameOf(partition))) continue;
      const owned: Owned = { partition, state: 'gaining', reader: null };
      this.owned.set(nameOf(partition), owned);
      gained.push(owned);
    }
    if (gained.length > 0) this.changing = this.changing.then(() => this.takeOver(gained));
  }

  /** The group has gone on without us: whatever is under way ends, but nothing of it counts any more. */
  private lose(): void {
    const lost = [...this.owned.values()].filter(({ state }) => state === 'gaining' || state === 'active');
    for (const owned of this.owned.values()) owned.state = 'fenced';
    this.target = new Set();
    if (lost.length > 0) void this.release(lost);
  }

  /** Tells the member topic by topic, in the order they are named, so that what depends on the first one ends with it. */
  private async release(given: readonly Owned[]): Promise<void> {
    for (const { reader } of given) reader?.halt();
    // A takeover that has begun ends first.
    await this.changing;
    const told = this.tellRevoked(given);
    if (!(await within(this.parts.clock, revokeBoundMs, told))) {
      this.parts.report(`${this.group} did not give its partitions back within ${revokeBoundMs} ms`, undefined);
    }
    // What was lost while it was being given back, and is ours again.
    const again = given.filter(({ partition, state }) => state === 'fenced' && this.target.has(nameOf(partition)));
    this.forget(given);
    if (this.leaving !== null) return;
    this.gain(again.map(({ partition }) => partition));
    this.session.rejoin();
  }

  private async tellRevoked(given: readonly Owned[]): Promise<void> {
    const handedOver = given.filter(({ reader }) => reader !== null);
    for (const topic of this.topics) {
      const own = handedOver.filter(({ partition }) => partition.topic === topic);
      if (own.length === 0) continue;
      await Promise.all(own.flatMap(({ reader }) => reader?.stop() ?? []));
      const partitions = own.map(({ partition }) => partition);
      await this.tell('revoked', () => this.handlers.revoked(this, partitions));
    }
    await this.commits.drained();
  }

  private async takeOver(gained: readonly Owned[]): Promise<void> {
    const open = () => gained.filter(({ state }) => state === 'gaining');
    const starts = await this.places(open);
    if (this.leaving !== null) return;
    for (const topic of this.topics) {
      const own = open().filter(({ partition }) => partition.topic === topic);
      const assignments: Assignment[] = [];
      for (const owned of own.sort((a, b) => a.partition.partition - b.partition.partition)) {
        const start = starts.get(nameOf(owned.partition));
        if (start === undefined) continue;
        owned.reader = this.readerOf(owned.partition, start.offset);
        owned.state = 'active';
        const isOurs = () => owned.state !== 'fenced' && this.session.isCertain;
        assignments.push({ ...owned.partition, start, isOurs });
      }
      if (assignments.length > 0) await this.tell('assigned', () => this.handlers.assigned(this, assignments));
    }
    for (const { reader } of gained) reader?.start();
  }

  private readerOf(partition: TopicPartition, start: bigint): PartitionReader {
    const { clock, report } = this.parts;
    const events = {
      deliver: (batch: Parameters<GroupHandlers['messages']>[1]) => this.handlers.messages(this, batch),
      failed: (error: unknown) => report(`${this.group} cannot take ${nameOf(partition)}, will try again`, error),
      hungry: () => this.fetcher.pump(),
    };
    return new PartitionReader(partition, start, events, clock);
  }

  /** Where each begins. The ends are known exactly from here on. Asks until it knows, or none of them is wanted any more. */
  private async places(wanted: () => readonly Owned[]): Promise<ReadonlyMap<string, CommittedOffset>> {
    const { shared, offsets, report, clock } = this.parts;
    for (;;) {
      const open = wanted().map(({ partition }) => partition);
      if (open.length === 0 || this.leaving !== null) return new Map();
      try {
        return await startPlaces(shared, offsets, this.group, open, this.parts);
      } catch (error) {
        report(`${this.group} cannot find its places, tries again: ${textOf(error)}`, error);
        shared.failed(error);
        shared.forgetCoordinator(this.group);
        await shared.refresh();
        await pause(clock, placesRetryMs);
      }
    }
  }

  private async tell(what: string, call: () => void | Promise<void>): Promise<void> {
    try {
      await call();
    } catch (error) {
      this.parts.report(`${this.group} failed in '${what}'`, error);
    }
  }
}
