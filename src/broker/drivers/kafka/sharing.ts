// Which member of a group gets which partitions, and what members tell one another about it; mostly pure.
import kafkajs from 'kafkajs';
import { shareOut } from '../../share-out.js';

/** By topic. */
export type Partitions = Readonly<Record<string, readonly number[]>>;

/** Which process a member belongs to, and where that is reached. */
export interface NodeClaim {
  readonly id: string;
  readonly address: string;
}

/** What a member says when it joins. */
export interface Claim {
  readonly topics: readonly string[];
  /** Of the assignment that `held` comes from: of two who claim the same, the later one holds it. */
  readonly generation: number;
  readonly held: Partitions;
  /** Held too, but on its way to somebody else. */
  readonly releasing: Partitions;
  /** Null: the others are not told. */
  readonly node: NodeClaim | null;
}

export interface MemberClaim extends Claim {
  readonly id: string;
}

/** What each member is told. */
export interface Share {
  readonly partitions: Partitions;
  /** False while something is still held by a member that has to give it back. */
  readonly isSettled: boolean;
}

/**
 * Evenly, and nobody loses more than it must. A partition that somebody else still holds is withheld until it has been
 * given back, so that those that stay are never interrupted and no partition has two owners. Topics that the same
 * members read and that have as many partitions as one another are shared out alike.
 */
export function share(claims: readonly MemberClaim[], countOf: (topic: string) => number): Map<string, Share> {
  const members = [...claims].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shares = new Map(members.map(({ id }) => [id, {} as Record<string, number[]>]));
  const alike = new Map<string, readonly MemberClaim[]>();
  let isSettled = true;
  for (const topic of new Set(members.flatMap(({ topics }) => topics))) {
    const readers = members.filter(({ topics }) => topics.includes(topic));
    const count = countOf(topic);
    const holders = holdersOf(topic, members);
    const kind = `${count} of ${readers.map(({ id, topics }) => `${id} ${topics.join(',')}`).join(';')}`;
    const owners = alike.get(kind) ?? shareOut(count, heldBy(readers, holders));
    alike.set(kind, owners);
    owners.forEach((owner, partition) => {
      const holder = holders.get(partition);
      const isLeaving = holder?.releasing[topic]?.includes(partition) === true;
      if (holder !== undefined && (holder !== owner || isLeaving)) {
        isSettled = false;
        return;
      }
      const own = shares.get(owner.id) as Record<string, number[]>;
      own[topic] = [...(own[topic] ?? []), partition];
    });
  }
  return new Map([...shares].map(([id, partitions]) => [id, { partitions, isSettled }]));
}

function holdersOf(topic: string, members: readonly MemberClaim[]): Map<number, MemberClaim> {
  const holders = new Map<number, MemberClaim>();
  for (const member of members) {
    for (const partition of [...(member.held[topic] ?? []), ...(member.releasing[topic] ?? [])]) {
      const other = holders.get(partition);
      if (other === undefined || other.generation < member.generation) holders.set(partition, member);
    }
  }
  return holders;
}

function heldBy(
  readers: readonly MemberClaim[],
  holders: ReadonlyMap<number, MemberClaim>,
): Map<MemberClaim, readonly number[]> {
  const held = new Map<MemberClaim, number[]>(readers.map((reader) => [reader, []]));
  for (const [partition, holder] of [...holders].sort(([a], [b]) => a - b)) held.get(holder)?.push(partition);
  return held;
}

/** Only members that speak this can share a group. */
export const protocolName = 'bigpipe-incremental';
const protocolVersion = 1;
const { MemberMetadata, MemberAssignment } = kafkajs.AssignerProtocol;

/** `round` makes each joining another one, or Kafka would answer it from memory. */
export function encodeClaim(claim: Claim, round: number): Buffer {
  const { topics, ...told } = claim;
  const userData = Buffer.from(JSON.stringify({ round, ...told }));
  return MemberMetadata.encode({ version: protocolVersion, topics: [...topics], userData });
}

export function decodeClaim(id: string, metadata: Buffer): MemberClaim {
  const decoded = MemberMetadata.decode(metadata);
  // A member of an older program says nothing of its process.
  const told = JSON.parse(decoded?.userData.toString('utf8') ?? '{}') as Partial<Omit<Claim, 'topics'>>;
  const { generation = -1, held = {}, releasing = {}, node = null } = told;
  return { id, topics: decoded?.topics ?? [], generation, held, releasing, node };
}

export function encodeShare({ partitions, isSettled }: Share): Buffer {
  const userData = Buffer.from(JSON.stringify({ isSettled }));
  const assignment = Object.fromEntries(Object.entries(partitions).map(([topic, numbers]) => [topic, [...numbers]]));
  return MemberAssignment.encode({ version: protocolVersion, assignment, userData });
}

export function decodeShare(assignment: Buffer): Share {
  const decoded = assignment.length === 0 ? null : MemberAssignment.decode(assignment);
  if (decoded === null) return { partitions: {}, isSettled: false };
  const { isSettled } = JSON.parse(decoded.userData.toString('utf8')) as { isSettled: boolean };
  return { partitions: decoded.assignment, isSettled };
}
