// Whose messages stand in a partition's overflow, so that later ones of the same lane follow them and none overtakes.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import { fnv1a } from '../../message/fnv.js';
import { LaneHops } from './lane-hops.js';

/** What the table needs to know of a delivery. */
export interface Spillable {
  /** Lanes that spill together: a destination's, or the whole partition's. */
  readonly spillGroup: string;
  readonly lane: string | null;
}

/** Said instead of names that would not fit: after a restart everything follows until the overflow is read. */
const everything = '*';

/** How many messages of each hop; there are few hops at a time. */
class HopCounts {
  private readonly counts = new Map<number, number>();
  private highestHop = 0;

  add(hop: number): void {
    this.counts.set(hop, (this.counts.get(hop) ?? 0) + 1);
    this.highestHop = Math.max(this.highestHop, hop);
  }

  remove(hop: number): void {
    const count = this.counts.get(hop) ?? 0;
    if (count > 1) {
      this.counts.set(hop, count - 1);
      return;
    }
    this.counts.delete(hop);
    if (hop === this.highestHop) this.highestHop = Math.max(0, ...this.counts.keys());
  }

  get isEmpty(): boolean {
    return this.counts.size === 0;
  }

  /** 0 when there are none. */
  get highest(): number {
    return this.highestHop;
  }
}

interface Group {
  /** Appended and not read yet. */
  readonly unread: HopCounts;
  /** False once there were too many lanes: then all of them follow. */
  isToldApart: boolean;
  /** Appended and not settled: unread again for who comes after us. */
  readonly unsettled: HopCounts;
}

/**
 * What an earlier owner left is known by hashes from its commit, with the highest hop of each: it counts as unread until
 * the overflow has been read as far as it went then. A false match only spills too much.
 */
export class SpillTable {
  private readonly groups = new Map<string, Group>();
  /** Appended and not read yet, of each lane. */
  private readonly unread: LaneHops;
  /** Hash of a group → its highest hop; everything when they were too many; null when nothing is left of it. */
  private left: ReadonlyMap<number, number> | typeof everything | null = null;
  private leftIsRead = true;
  /** The overflow has been read as far as it went at the takeover: what is found late is in its lane, or behind. */
  private leftWasRead = false;

  /** `identity`: what the names of groups and lanes hang on; of another one nothing can be told apart. */
  constructor(
    private readonly identity: string,
    maxLanes?: number,
  ) {
    this.unread = new LaneHops(maxLanes);
  }

  /** What a commit of an earlier owner said. All of them together tell the whole. */
  addLeft(note: string): void {
    if (note === '' || this.leftWasRead) return;
    this.leftIsRead = false;
    const [identity, list = ''] = note.split('!');
    const hops = note === everything || identity !== this.identity ? everything : readHashes(list);
    if (hops === everything || this.left === everything) {
      this.left = everything;
      return;
    }
    const known = new Map(this.left ?? []);
    for (const [hash, hop] of hops) known.set(hash, Math.max(hop, known.get(hash) ?? 0));
    this.left = known;
  }

  /** A message of the group was found in the overflow that no commit speaks of. */
  addLeftGroup(group: string, hop: number): void {
    this.addLeft(`${this.identity}!${fnv1a(group).toString(36)}.${hop.toString(36)}`);
  }

  /** Groups with something in the overflow. */
  get size(): number {
    return this.groups.size + (this.left === null ? 0 : 1);
  }

  /** Messages of this lane are, or may be, in the overflow and not read yet. */
  mayHaveUnread(work: Spillable): boolean {
    return this.highestUnread(work) > 0 || this.highestLeft(work) > 0;
  }

  /** The highest hop among the lane's unread messages that we moved, 0 for none. Nothing waits for who has no lane. */
  highestUnread({ spillGroup, lane }: Spillable): number {
    if (lane === null) return 0;
    const group = this.groups.get(spillGroup);
    if (group === undefined) return 0;
    return group.isToldApart ? this.unread.highest(lane) : group.unread.highest;
  }

  /** Something that an earlier owner left is not read yet. */
  get hasUnreadLeft(): boolean {
    return this.left !== null && !this.leftIsRead;
  }

  /** The same of what an earlier owner left. */
  highestLeft({ spillGroup, lane }: Spillable): number {
    if (lane === null || this.leftIsRead || this.left === null) return 0;
    return this.left === everything ? Number.POSITIVE_INFINITY : (this.left.get(fnv1a(spillGroup)) ?? 0);
  }

  /** Called before the message is appended to the overflow with that hop. */
  appending({ spillGroup, lane }: Spillable, hop: number): void {
    const group = this.groupOf(spillGroup);
    group.unread.add(hop);
    group.unsettled.add(hop);
    if (lane !== null && group.isToldApart) group.isToldApart = this.unread.add(lane, hop);
  }

  /** A message of ours has been read from the overflow. */
  read({ spillGroup, lane }: Spillable, hop: number): void {
    this.groups.get(spillGroup)?.unread.remove(hop);
    if (lane !== null) this.unread.remove(lane, hop);
  }

  /** It was not appended after all. */
  notAppended(work: Spillable, hop: number): void {
    this.read(work, hop);
    this.settled(work, hop);
  }

  /** A message of ours in the overflow is settled. */
  settled({ spillGroup }: Spillable, hop: number): void {
    const group = this.groups.get(spillGroup);
    if (group === undefined) return;
    group.unsettled.remove(hop);
    if (group.unsettled.isEmpty) this.groups.delete(spillGroup);
  }

  /** The overflow has been read as far as it went when the partition was taken over. */
  readWhatWasLeft(): void {
    this.leftIsRead = true;
    this.leftWasRead = true;
  }

  /** And all of that is settled. */
  settledWhatWasLeft(): void {
    this.leftIsRead = true;
    this.left = null;
  }

  /** What a commit says, in at most `maxBytes`: who comes after us must let these follow. Empty for none. */
  note(maxBytes: number): string {
    if (this.left === everything) return everything;
    const hops = new Map(this.left ?? []);
    for (const [name, { unsettled }] of this.groups) {
      const hash = fnv1a(name);
      hops.set(hash, Math.max(unsettled.highest, hops.get(hash) ?? 0));
    }
    if (hops.size === 0) return '';
    const list = [...hops].map(([hash, hop]) => `${hash.toString(36)}.${hop.toString(36)}`).join(',');
    const note = `${this.identity}!${list}`;
    return note.length > maxBytes ? everything : note;
  }

  private groupOf(name: string): Group {
    let group = this.groups.get(name);
    if (group === undefined) {
      group = { unread: new HopCounts(), isToldApart: true, unsettled: new HopCounts() };
      this.groups.set(name, group);
    }
    return group;
  }
}

/** A note that cannot be read names everything: too much is spilled, nothing overtakes. */
function readHashes(note: string): ReadonlyMap<number, number> | typeof everything {
  const hops = new Map<number, number>();
  for (const part of note.split(',')) {
    const [hash, hop] = part.split('.').map((text) => Number.parseInt(text, 36));
    if (hash === undefined || hop === undefined || Number.isNaN(hash) || Number.isNaN(hop)) return everything;
    hops.set(hash, hop);
  }
  return hops;
}

/** What the names of groups and lanes hang on, short: it stands in commits. */
export function spillIdentityOf(subscription: SubscriptionSettings): string {
  const { ordering, destinations, url, endpoints, isPulled } = subscription;
  const names = isPulled ? 'pull' : destinations.map(({ name, origins }) => [name, origins]);
  // Without a URL it is what it was before there was one.
  const receiver = endpoints === null ? url : [];
  return fnv1a(JSON.stringify(receiver === null ? [ordering, names] : [ordering, names, receiver])).toString(36);
}
