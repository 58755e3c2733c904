// Every promise of broker.ts as a test; each driver runs all of it, with no branch by driver.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker } from '#src/broker/broker.js';
import type { Message } from '#src/message/message.js';
import { murmur2 } from '#src/message/partitioner.js';
import { MessageFilter } from '#src/subscription/message-filter.js';
import { GroupLog } from '../support/group-log.js';
import { until } from '../support/until.js';

export interface BrokerHarness {
  /** A broker that was not opened yet, over a log of its own. */
  make(): Broker | Promise<Broker>;
  /** Removes what `make` left behind. */
  close(): Promise<void>;
}

const topic = 'orders';

const messageOf = (body: string, key: string | null = null, partition?: number): Message => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-url': 'http://receiver/', n: body },
  ...(partition === undefined ? {} : { partition }),
});

const boundTo = (types: readonly string[]) => ({
  bindings: types.map((type) => ({ kind: 'direct' as const, type })),
  filters: [],
  methods: null,
});

/** Whether each of the assignments of the partition that a member was told of holds. */
const ours = ({ assignments }: GroupLog, { partition }: { readonly partition: number }) =>
  assignments.filter((one) => one.partition === partition).map((one) => one.isOurs());

export function brokerSuite(name: string, harness: BrokerHarness): void {
  describe(`broker: ${name}`, () => {
    let broker: Broker;

    beforeEach(async () => {
      broker = await harness.make();
      await broker.open();
      await broker.ensureTopic({ name: topic, partitions: 3, retention: 'standard' });
    });

    afterEach(async () => {
      await broker.close();
      await harness.close();
    });

    const join = async (group: string, log = new GroupLog(), topics: string[] = [topic]) => {
      const membership = await broker.join(group, topics, log);
      return { membership, log };
    };

    const append = (...bodies: string[]) =>
      broker.append(
        bodies.map((body) => messageOf(body, 'k')),
        -1,
      );

    describe('append', () => {
      test('offsets are dense, begin at 0 and follow the order of the messages', async () => {
        const first = await broker.append([messageOf('a', null, 1), messageOf('b', null, 1)], -1);
        const second = await broker.append([messageOf('c', null, 1), messageOf('d', null, 2)], 1);
        expect([...first, ...second]).toEqual([
          { topic, partition: 1, offset: 0n },
          { topic, partition: 1, offset: 1n },
          { topic, partition: 1, offset: 2n },
          { topic, partition: 2, offset: 0n },
        ]);
      });

      test('a key chooses its partition by murmur2 modulo the configured partitions', async () => {
        for (const key of ['a', 'user-1', '暂时用不到', 'x'.repeat(10_240)]) {
          const [position] = await broker.append([messageOf('m', key)], -1);
          expect(position?.partition).toBe((murmur2(Buffer.from(key)) & 0x7fffffff) % 3);
        }
      });

      test('messages without a key use every partition', async () => {
        const positions = await broker.append(
          Array.from({ length: 30 }, (_, i) => messageOf(`${i}`)),
          -1,
        );
        expect(new Set(positions.map((position) => position?.partition))).toEqual(new Set([0, 1, 2]));
      });

      test('at acks 0 no position is known, and the messages arrive all the same, in order', async () => {
        const answers = await Promise.all(['a', 'b', 'c'].map((body) => broker.append([messageOf(body, null, 0)], 0)));
        expect(answers).toEqual([[null], [null], [null]]);
        const { log } = await join('G');
        await until('all arrive', () => log.received.length === 3);
        expect(log.bodies()).toEqual(['a', 'b', 'c']);
      });

      test('many callers at once: every position is given once', async () => {
        const all = await Promise.all(
          Array.from({ length: 500 }, (_, i) => broker.append([messageOf(`${i}`, null, i % 3)], -1)),
        );
        const places = new Set(all.map(([position]) => `${position?.partition}/${position?.offset}`));
        expect(places.size).toBe(500);
      });

      test('nothing is stored of an append that names something unknown', async () => {
        await expect(
          broker.append([messageOf('a', null, 0), { ...messageOf('b'), topic: 'nope' }], -1),
        ).rejects.toMatchObject({
          code: 'unknown-topic',
        });
        await expect(broker.append([messageOf('a', null, 7)], -1)).rejects.toMatchObject({ code: 'unknown-partition' });
        expect(broker.lag('G', topic).map(({ highWatermark }) => highWatermark)).toEqual([0n, 0n, 0n]);
      });

      test('what is not wanted any more when it is about to be stored is not', async () => {
        await expect(broker.append([messageOf('a', null, 0)], -1, () => false)).rejects.toMatchObject({
          code: 'fenced',
        });
        const [position] = await broker.append([messageOf('b', null, 0)], -1, () => true);
        expect(position?.offset).toBe(0n);
      });

      test('an append of no messages stores none', async () => {
        expect(await broker.append([], -1)).toEqual([]);
      });

      test('names the durability of each level', () => {
        expect(broker.durability(0)).toBe('none');
        expect(broker.durability(1)).not.toBe('none');
        expect(broker.durability(-1)).not.toBe('none');
      });
    });

    describe('reading', () => {
      test('key, body, headers and place arrive as they were appended, in partition order', async () => {
        const { log } = await join('G');
        const body = Buffer.from([0, 255, 128, 10, 13]);
        await broker.append(
          [{ topic, key: Buffer.from([255, 0]), body, headers: { a: 'é', b: '' }, partition: 1 }],
          -1,
        );
        await broker.append([{ topic, key: null, body: Buffer.alloc(0), headers: {}, partition: 1 }], -1);
        await until('both arrive', () => log.received.length === 2);
        const [first, second] = log.received;
        expect(first).toMatchObject({ topic, partition: 1, offset: 0n, headers: { a: 'é', b: '' } });
        expect(Buffer.compare(first?.body as Buffer, body)).toBe(0);
        expect(Buffer.compare(first?.key as Buffer, Buffer.from([255, 0]))).toBe(0);
        expect(second).toMatchObject({ offset: 1n, key: null, headers: {} });
        expect(second?.body.length).toBe(0);
        expect(first?.timestampMs).toBeGreaterThan(0);
      });

      test('a new group begins at the oldest message and then follows the end', async () => {
        await append('a', 'b');
        const { log } = await join('G');
        await until('the old ones arrive', () => log.received.length === 2);
        await append('c');
        await until('the new one arrives', () => log.received.length === 3);
        expect(log.bodies()).toEqual(['a', 'b', 'c']);
      });

      test('every group gets every message', async () => {
        const one = await join('G1');
        const two = await join('G2');
        await append('a', 'b', 'c');
        await until('both have all', () => one.log.received.length === 3 && two.log.received.length === 3);
        expect(two.log.bodies()).toEqual(one.log.bodies());
      });

      test('a batch waits for the promise of the one before', async () => {
        const log = new GroupLog();
        let release: () => void = () => undefined;
        log.hold = new Promise((resolve) => {
          release = resolve;
        });
        await join('G', log);
        await broker.append([messageOf('a', null, 0)], -1);
        await broker.append([messageOf('b', null, 0)], -1);
        await broker.append([messageOf('c', null, 1)], -1);
        expect(log.received).toEqual([]);
        log.hold = null;
        release();
        await until('all arrive', () => log.received.length === 3);
        expect(log.bodies(0)).toEqual(['a', 'b']);
      });

      test('a paused partition hands over nothing, others go on; resume continues where it stopped', async () => {
        const { membership, log } = await join('G');
        membership.pause({ topic, partition: 0 });
        await broker.append([messageOf('held', null, 0), messageOf('free', null, 1)], -1);
        await until('the free one arrives', () => log.received.length > 0);
        await broker.append([messageOf('free too', null, 2)], -1);
        await until('the second free one arrives', () => log.received.length > 1);
        expect(log.bodies()).toEqual(['free', 'free too']);
        membership.resume({ topic, partition: 0 });
        await until('the held one arrives', () => log.received.length === 3);
        expect(log.bodies(0)).toEqual(['held']);
      });

      test('pausing inside a batch stops after it', async () => {
        const log = new GroupLog();
        log.onMessages = (membership, { partition }) => membership.pause({ topic, partition });
        const { membership } = await join('G', log);
        const bodies = Array.from({ length: 2000 }, (_, i) => `${i}`);
        await broker.append(
          bodies.map((body) => messageOf(body, null, 0)),
          -1,
        );
        await until('the first batch arrives', () => log.batches.length === 1);
        log.onMessages = () => undefined;
        const before = log.received.length;
        membership.resume({ topic, partition: 0 });
        await until('the rest arrives', () => log.received.length === 2000);
        expect(before).toBeLessThan(2000);
        expect(log.bodies(0)).toEqual(bodies);
      });
    });

    describe('what a member wants', () => {
      const typed = (type: string, n: number) => ({
        ...messageOf(`${type}${n}`, null, 0),
        headers: { 'bigpipe-type': type },
      });
      const interestIn = (...types: string[]) => new MessageFilter(boundTo(types));
      const ofType = (log: GroupLog, type: string) => log.bodies().filter((body) => body.startsWith(type));

      test('comes once and in order, whoever else wants what; its place goes past the rest', async () => {
        const logs = ['a', 'b', 'c', 'nothing'].map((type) => {
          const log = new GroupLog();
          log.wanted = interestIn(type);
          return { type, log };
        });
        const all = new GroupLog();
        await broker.append([typed('a', 0), typed('b', 0)], -1);
        const joined = await Promise.all(logs.map(({ type, log }) => join(`G-${type}`, log)));
        await join('G-all', all);
        for (let n = 1; n < 100; n += 1)
          await broker.append(
            ['a', 'b', 'c', 'd'].map((type) => typed(type, n)),
            -1,
          );
        await until('whoever wants all has all', () => all.received.length === 398);
        for (const { type, log } of logs.slice(0, 3)) {
          const first = type === 'c' ? 1 : 0;
          const wanted = Array.from({ length: 100 - first }, (_, i) => `${type}${i + first}`);
          await until(`${type} is there`, () => ofType(log, type).length >= wanted.length);
          expect(ofType(log, type)).toEqual(wanted);
        }
        await until('all have been read as far as they need', () =>
          // Where nothing is left out nothing is said.
          joined.every(({ membership }) => (membership.readTo({ topic, partition: 0 }) ?? 398n) === 398n),
        );
      });

      test('its place does not go past what it wants and was not handed', async () => {
        const log = new GroupLog();
        log.wanted = interestIn('a');
        const { membership } = await join('G', log);
        const place = { topic, partition: 0 };
        membership.pause(place);
        await broker.append([typed('b', 0), typed('a', 1), typed('b', 2)], -1);
        const other = new GroupLog();
        await join('H', other);
        await until('it is read by others', () => other.received.length === 3);
        expect(membership.readTo(place) ?? 0n).toBeLessThanOrEqual(1n);
        expect(ofType(log, 'a')).toEqual([]);
        membership.resume(place);
        await until('it comes', () => ofType(log, 'a').length === 1);
      });

      test('may change at any time, for what is appended after it', async () => {
        const log = new GroupLog();
        log.wanted = interestIn('a');
        const { membership } = await join('G', log);
        await broker.append([typed('a', 0), typed('b', 0)], -1);
        await until('the first comes', () => ofType(log, 'a').length === 1);
        log.wanted = interestIn('b');
        membership.interestChanged(topic);
        await broker.append([typed('a', 1), typed('b', 1)], -1);
        await until('the second comes', () => ofType(log, 'b').includes('b1'));
        log.wanted = null;
        membership.interestChanged(topic);
        await broker.append([typed('a', 2), typed('b', 2)], -1);
        await until('everything comes', () => log.bodies().includes('a2') && log.bodies().includes('b2'));
      });

      test('a message for one group alone comes to that one, and to nobody who wants other things', async () => {
        const [one, other] = [new GroupLog(), new GroupLog()];
        one.wanted = interestIn('x');
        other.wanted = interestIn('y');
        await join('One', one);
        await join('Other', other);
        await broker.append([{ ...messageOf('for one', null, 0), headers: { 'bigpipe-only-group': 'One' } }], -1);
        await until('it comes', () => one.bodies().includes('for one'));
      });
    });

    describe('fetching', () => {
      test('gives what stands in a partition from an offset on, and says where it ends', async () => {
        await broker.append(
          ['a', 'b', 'c'].map((body) => messageOf(body, null, 1)),
          -1,
        );
        const partition = { topic, partition: 1 };
        const bodies: string[] = [];
        let offset = 1n;
        for (;;) {
          const batch = await broker.fetch(partition, offset);
          bodies.push(...batch.messages.map(({ body }) => body.toString()));
          if (batch.nextOffset === offset) break;
          offset = batch.nextOffset;
        }
        expect([bodies, offset]).toEqual([['b', 'c'], 3n]);
        expect(await broker.fetch(partition, 3n)).toEqual({ ...partition, messages: [], nextOffset: 3n });
      });

      test('takes nothing away from any group', async () => {
        await broker.append([messageOf('a', null, 1)], -1);
        const partition = { topic, partition: 1 };
        const read = async () => (await broker.fetch(partition, 0n)).messages.length;
        expect([await read(), await read()]).toEqual([1, 1]);
        const { log } = await join('G');
        await until('the group has it too', () => log.bodies().length === 1);
      });

      test('of what is not there is refused', async () => {
        await expect(broker.fetch({ topic: 'nowhere', partition: 0 }, 0n)).rejects.toMatchObject({
          code: 'unknown-topic',
        });
        await expect(broker.fetch({ topic, partition: 3 }, 0n)).rejects.toMatchObject({ code: 'unknown-partition' });
      });
    });

    describe('looking at all groups', () => {
      test('every mark is told with its end, also when nobody reads any more and messages come in', async () => {
        await broker.append([messageOf('a', null, 0), messageOf('b', null, 0), messageOf('c', null, 1)], -1);
        const { membership, log } = await join('G');
        await until('it owns all', () => log.assignments.length === 3);
        await membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: '' });
        await membership.commit({ topic, partition: 1 }, { offset: 1n, metadata: '' });
        await membership.leave();
        await broker.append([messageOf('d', null, 0), messageOf('e', null, 0)], -1);
        // Some drivers note where a member begins, too.
        const rows = (await broker.groupLags()).filter(({ partition }) => partition < 2);
        expect(rows.toSorted((a, b) => a.partition - b.partition)).toEqual([
          { group: 'G', topic, partition: 0, committed: 1n, highWatermark: 4n, lag: 3n },
          { group: 'G', topic, partition: 1, committed: 1n, highWatermark: 1n, lag: 0n },
        ]);
      });

      test('a log in which nobody has a mark has none', async () => {
        expect(await broker.groupLags()).toEqual([]);
      });
    });

    describe('groups', () => {
      test('a member goes on behind what its group committed, with the metadata given', async () => {
        const first = await join('G');
        await broker.append(
          ['a', 'b', 'c'].map((body) => messageOf(body, null, 1)),
          -1,
        );
        await until('all arrive', () => first.log.received.length === 3);
        await first.membership.commit({ topic, partition: 1 }, { offset: 2n, metadata: '1:1.2' });
        await first.membership.leave();
        const second = await join('G');
        expect(second.log.assignments.find(({ partition }) => partition === 1)?.start).toEqual({
          offset: 2n,
          metadata: '1:1.2',
        });
        await until('the rest arrives', () => second.log.received.length === 1);
        expect(second.log.bodies()).toEqual(['c']);
      });

      test('a commit may move the mark back', async () => {
        const first = await join('G');
        await broker.append(
          ['a', 'b'].map((body) => messageOf(body, null, 0)),
          -1,
        );
        await until('all arrive', () => first.log.received.length === 2);
        await first.membership.commit({ topic, partition: 0 }, { offset: 2n, metadata: '' });
        await first.membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: '' });
        await first.membership.leave();
        const second = await join('G');
        await until('it arrives again', () => second.log.received.length === 1);
        expect(second.log.bodies()).toEqual(['b']);
      });

      test('metadata of the longest length allowed comes back whole', async () => {
        const { membership } = await join('G');
        const metadata = 'x'.repeat(broker.maxMetadataBytes);
        await membership.commit({ topic, partition: 0 }, { offset: 0n, metadata });
        await membership.leave();
        const again = await join('G');
        expect(again.log.assignments.find(({ partition }) => partition === 0)?.start.metadata).toBe(metadata);
      });

      test('members share the partitions, every partition has one owner', async () => {
        const one = await join('G');
        const two = await join('G');
        const three = await join('G');
        const owned = (log: GroupLog) => log.assignments.length - log.lost.length;
        expect([one, two, three].map(({ log }) => owned(log))).toEqual([1, 1, 1]);
        await broker.append(
          [0, 1, 2].map((partition) => messageOf(`${partition}`, null, partition)),
          -1,
        );
        const logs = [one.log, two.log, three.log];
        await until('all arrive', () => logs.reduce((sum, log) => sum + log.received.length, 0) === 3);
        expect(logs.map((log) => log.received.length)).toEqual([1, 1, 1]);
      });

      test('more members than partitions: the extra ones wait, and take over when one leaves', async () => {
        const members = await Promise.all([join('G'), join('G'), join('G'), join('G')]);
        const idle = members.filter(({ log }) => log.assignments.length === log.lost.length);
        expect(idle.length).toBe(1);
        const busy = members.find((member) => !idle.includes(member));
        await busy?.membership.leave();
        await until('the idle one owns a partition', () => (idle[0]?.log.assignments.length ?? 0) > 0);
      });

      test('a leaving member hands over, and nothing that was committed comes again', async () => {
        const one = await join('G');
        const two = await join('G');
        one.log.onMessages = (membership, { partition, nextOffset }) =>
          void membership.commit({ topic, partition }, { offset: nextOffset, metadata: '' });
        two.log.onMessages = one.log.onMessages;
        await broker.append(
          Array.from({ length: 30 }, (_, i) => messageOf(`${i}`)),
          -1,
        );
        await until('all arrive', () => one.log.received.length + two.log.received.length === 30);
        await until('all is committed', () => broker.lag('G', topic).every(({ lag }) => lag === 0n));
        await one.membership.leave();
        await broker.append(
          Array.from({ length: 30 }, (_, i) => messageOf(`${30 + i}`)),
          -1,
        );
        await until('all arrive', () => one.log.received.length + two.log.received.length === 60);
        expect(new Set([...one.log.bodies(), ...two.log.bodies()]).size).toBe(60);
      });

      test('a revoked owner may commit until its handler has returned, and never again', async () => {
        const one = await join('G');
        await broker.append([messageOf('a', null, 0), messageOf('b', null, 1), messageOf('c', null, 2)], -1);
        await until('all arrive', () => one.log.received.length === 3);
        let committed = 0;
        one.log.onRevoked = async (membership, partitions) => {
          for (const partition of partitions) {
            expect(ours(one.log, partition)).toEqual([true]);
            await membership.commit(partition, { offset: 1n, metadata: '' });
            committed += 1;
          }
        };
        const two = await join('G');
        for (const partition of one.log.lost) {
          expect([ours(one.log, partition), ours(two.log, partition)]).toEqual([[false], [true]]);
        }
        expect(committed).toBe(one.log.lost.length);
        expect(committed).toBeGreaterThan(0);
        for (const partition of one.log.lost) {
          await expect(one.membership.commit(partition, { offset: 0n, metadata: '' })).rejects.toMatchObject({
            code: 'fenced',
          });
        }
        expect(two.log.received).toEqual([]);
        for (const { start } of two.log.assignments) expect(start.offset).toBe(1n);
      });

      test('after leaving nothing more is handed over and commits are fenced; leaving twice is fine', async () => {
        const { membership, log } = await join('G');
        expect(log.assignments.map((one) => one.isOurs())).toEqual([true, true, true]);
        await membership.leave();
        await membership.leave();
        expect(log.assignments.map((one) => one.isOurs())).toEqual([false, false, false]);
        await append('late');
        await expect(membership.commit({ topic, partition: 0 }, { offset: 0n, metadata: '' })).rejects.toMatchObject({
          code: 'fenced',
        });
        const other = await join('G');
        await until('the other member has it', () => other.log.received.length === 1);
        expect(log.received).toEqual([]);
      });

      test('joining an unknown topic is refused', async () => {
        await expect(join('G', new GroupLog(), ['nope'])).rejects.toMatchObject({ code: 'unknown-topic' });
      });

      test('lag counts from the committed mark, else from the oldest message', async () => {
        await broker.append([messageOf('a', null, 0), messageOf('b', null, 0)], -1);
        expect(broker.lag('G', topic)[0]).toEqual({ topic, partition: 0, committed: null, highWatermark: 2n, lag: 2n });
        const { membership, log } = await join('G');
        await until('all arrive', () => log.received.length === 2);
        await membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: '' });
        expect(broker.lag('G', topic)[0]).toEqual({ topic, partition: 0, committed: 1n, highWatermark: 2n, lag: 1n });
      });
    });

    describe('topics and life', () => {
      test('ensureTopic twice changes nothing; more partitions are added and shared', async () => {
        await broker.ensureTopic({ name: topic, partitions: 3, retention: 'standard' });
        const { log } = await join('G');
        await broker.ensureTopic({ name: topic, partitions: 5, retention: 'standard' });
        await until('the new ones are assigned', () => log.assignments.length === 5);
        await broker.append([messageOf('x', null, 4)], -1);
        await until('it arrives', () => log.received.length === 1);
      });

      test('fewer partitions take none away: what is there is still read', async () => {
        await broker.append([messageOf('old', null, 2)], -1);
        await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
        const [position] = await append('new');
        expect(position?.partition).toBe(0);
        const { log } = await join('G');
        await until('both arrive', () => log.received.length === 2);
      });

      test('is healthy while open, and finds no fault in what it wrote', async () => {
        await append('a', 'b');
        expect(broker.health().ok).toBe(true);
        expect(await broker.check()).toEqual([]);
      });

      test('close waits for appends under way, refuses later ones, and may come twice', async () => {
        const underWay = append('a');
        await broker.close();
        await broker.close();
        expect((await underWay)[0]?.offset).toBe(0n);
        await expect(append('b')).rejects.toMatchObject({ code: 'closed' });
        expect(broker.health().ok).toBe(false);
      });
    });
  });
}
