// Sharing out partitions step by step: one owner each, nobody interrupted without need, and it comes to an end.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeClaim,
  decodeShare,
  encodeClaim,
  encodeShare,
  type MemberClaim,
  share,
} from '#src/broker/drivers/kafka/sharing.js';

const topics = ['test', 'test.G.overflow'];

const newcomer = (id: string, of: readonly string[] = topics): MemberClaim => ({
  id,
  topics: of,
  generation: -1,
  held: {},
  releasing: {},
  node: null,
});

/** A group whose members do at once what they are told: what they must give back is gone in the next round. */
class Group {
  members = new Map<string, MemberClaim>();
  generation = 0;
  /** Partitions that somebody gave back. */
  moved = 0;

  constructor(private readonly partitions: number) {}

  /** Until nothing changes any more; fails when two own the same. */
  settle(): number {
    for (let rounds = 1; rounds <= 4; rounds += 1) {
      this.generation += 1;
      const shares = share([...this.members.values()], () => this.partitions);
      const owners = new Map<string, string>();
      let isSettled = true;
      for (const [id, own] of shares) {
        const before = this.members.get(id) as MemberClaim;
        isSettled &&= own.isSettled;
        const rest: Record<string, number[]> = {};
        for (const topic of before.topics) {
          const given = (before.held[topic] ?? []).filter((number) => !(own.partitions[topic] ?? []).includes(number));
          this.moved += given.length;
          // Still held in this round.
          for (const number of [...(own.partitions[topic] ?? []), ...given]) {
            const other = owners.get(`${topic}/${number}`) ?? id;
            if (other !== id) throw new Error(`${topic}/${number} is both ${other}'s and ${id}'s`);
            owners.set(`${topic}/${number}`, id);
          }
          rest[topic] = [...(own.partitions[topic] ?? [])];
        }
        this.members.set(id, { ...before, generation: this.generation, held: rest, releasing: {} });
      }
      if (isSettled) return rounds;
    }
    throw new Error('it does not come to an end');
  }

  held(id: string, topic = 'test'): readonly number[] {
    return this.members.get(id)?.held[topic] ?? [];
  }
}

test('whoever comes and goes: one owner each, even shares, equal numbers together, two rounds at most', () => {
  const step = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), comes: fc.boolean() });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 17 }),
      fc.array(step, { minLength: 1, maxLength: 12 }),
      (partitions, steps) => {
        const group = new Group(partitions);
        for (const { id, comes } of steps) {
          if (!comes) group.members.delete(id);
          else if (!group.members.has(id)) group.members.set(id, newcomer(id));
          if (group.members.size === 0) continue;
          expect(group.settle()).toBeLessThanOrEqual(2);
          const ids = [...group.members.keys()];
          const all = ids.flatMap((member) => [...group.held(member)]);
          expect(all.toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, i) => i));
          const sizes = ids.map((member) => group.held(member).length);
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
          for (const member of ids) expect(group.held(member, 'test.G.overflow')).toEqual(group.held(member));
        }
      },
    ),
  );
});

test('a newcomer gets its share, and only that moves', () => {
  const group = new Group(6);
  group.members.set('a', newcomer('a'));
  group.settle();
  group.members.set('b', newcomer('b'));
  expect(group.settle()).toBe(2);
  expect(group.held('a')).toHaveLength(3);
  // Three of each topic.
  expect(group.moved).toBe(6);
});

test('what is still on its way out is nobody else’s yet, nor its old owner’s again', () => {
  const leaving: MemberClaim = {
    ...newcomer('a', ['test']),
    generation: 3,
    held: { test: [0] },
    releasing: { test: [1] },
  };
  const shares = share([leaving, newcomer('b', ['test'])], () => 2);
  expect(shares.get('a')).toEqual({ partitions: { test: [0] }, isSettled: false });
  expect(shares.get('b')).toEqual({ partitions: {}, isSettled: false });
  const alone = share([leaving], () => 2);
  expect(alone.get('a')).toEqual({ partitions: { test: [0] }, isSettled: false });
});

test('of two who claim the same, the one with the later assignment holds it', () => {
  const late: MemberClaim = { ...newcomer('z', ['test']), generation: 5, held: { test: [0] } };
  const woken: MemberClaim = { ...newcomer('a', ['test']), generation: 2, held: { test: [0] } };
  const shares = share([woken, late], () => 1);
  expect(shares.get('z')?.partitions).toEqual({ test: [0] });
  expect(shares.get('a')?.partitions).toEqual({});
});

test('topics with other readers are shared out among those', () => {
  const shares = share([newcomer('a', ['x']), newcomer('b', ['y'])], () => 2);
  expect(shares.get('a')?.partitions).toEqual({ x: [0, 1] });
  expect(shares.get('b')?.partitions).toEqual({ y: [0, 1] });
});

test('claims and shares come through their bytes as they were', () => {
  const node = { id: '0a1b2c3d', address: 'http://10.0.0.7:10086' };
  const claim: MemberClaim = { id: 'm', topics, generation: 4, held: { test: [1, 5] }, releasing: { test: [2] }, node };
  expect(decodeClaim('m', encodeClaim(claim, 9))).toEqual(claim);
  // Kafka answers the same bytes from memory.
  expect(encodeClaim(claim, 9).equals(encodeClaim(claim, 10))).toBe(false);
  const own = { partitions: { test: [0, 3] }, isSettled: true };
  expect(decodeShare(encodeShare(own))).toEqual(own);
  expect(decodeShare(Buffer.alloc(0))).toEqual({ partitions: {}, isSettled: false });
});
