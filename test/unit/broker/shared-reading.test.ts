// Many members of one partition that want little of it: who is slow, paused or fails holds up nobody, and misses nothing.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GroupHandlers, Membership, MessageBatch } from '#src/broker/broker.js';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { Interest } from '#src/broker/interest.js';
import { SystemClock } from '#src/message/clock.js';
import { MessageFilter } from '#src/subscription/message-filter.js';
import { Seeded, seedOfRun } from '../../support/seeded.js';
import { until } from '../../support/until.js';

const topic = 'orders';
const place = { topic, partition: 0 };
const kinds = 30;

let broker: MemoryBroker;
let reads: number;

beforeEach(async () => {
  broker = new MemoryBroker({ maxBytes: 100_000_000, clock: new SystemClock(), report: () => undefined });
  const read = broker.read.bind(broker);
  reads = 0;
  broker.read = (...asked) => {
    reads += 1;
    return read(...asked);
  };
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
});

afterEach(() => broker.close());

/** Keeps what a member is told, and what its mark would be. */
class Member implements GroupHandlers {
  readonly came = new Map<bigint, number>();
  /** All below was handed over or passed over, as far as this member knows. */
  handed = 0n;
  calls = 0;
  membership: Membership | null = null;
  private last = -1n;
  private isBusy = false;
  /** Of what is handed over first and not again: true when it came in order. */
  inOrder = true;

  constructor(
    private readonly interest: Interest | null,
    private readonly behave: (member: Member) => Promise<void> | void = () => undefined,
  ) {}

  interestIn(): Interest | null {
    return this.interest;
  }

  assigned(membership: Membership): void {
    this.membership = membership;
  }

  async messages(_membership: Membership, { messages, nextOffset }: MessageBatch): Promise<void> {
    if (this.isBusy) this.inOrder = false;
    this.isBusy = true;
    this.calls += 1;
    try {
      await this.behave(this);
    } finally {
      this.isBusy = false;
    }
    for (const { offset, headers, body } of messages) {
      // What it does not want may come all the same.
      if (this.interest?.matches(headers, body) === false) continue;
      if (offset <= this.last) this.inOrder = false;
      this.last = offset;
      this.came.set(offset, (this.came.get(offset) ?? 0) + 1);
    }
    this.handed = nextOffset;
  }

  revoked(): void {
    this.membership = null;
  }

  get readTo(): bigint {
    return this.membership?.readTo(place) ?? this.handed;
  }
}

const wants = (...types: string[]) =>
  new MessageFilter({
    bindings: types.map((type) => ({ kind: 'direct' as const, type })),
    filters: [],
    methods: null,
  });

async function append(type: string): Promise<bigint> {
  const message = { topic, key: null, body: Buffer.alloc(0), headers: { 'bigpipe-type': type }, partition: 0 };
  const [position] = await broker.append([message], -1);
  return position?.offset ?? -1n;
}

test('what nobody but one wants is read once for all, and nobody else is told', async () => {
  const members = Array.from({ length: 200 }, (_, i) => new Member(wants(`t${i}`)));
  await Promise.all(members.map((member, i) => broker.join(`g${i}`, [topic], member)));
  reads = 0;
  for (let n = 0; n < 50; n += 1) await append('t7');
  await until('it has all', () => members[7]?.came.size === 50);
  await until('all have passed it', () => members.every(({ readTo }) => readTo === 50n));
  expect(members.filter(({ calls }) => calls > 0)).toEqual([members[7]]);
  // By itself each of them would read it.
  expect(reads).toBeLessThan(500);
});

test('one that is paused, or whose handler does not come back, holds up nobody', async () => {
  const held = Promise.withResolvers<void>();
  const quick = new Member(wants('a'));
  const stuck = new Member(wants('a', 'b'), () => held.promise);
  const paused = new Member(wants('a'));
  for (const [i, member] of [quick, stuck, paused].entries()) await broker.join(`g${i}`, [topic], member);
  paused.membership?.pause(place);
  for (let n = 0; n < 1000; n += 1) await append(n % 2 === 0 ? 'a' : 'b');
  await until('the quick one has all', () => quick.came.size === 500);
  expect(stuck.came.size + paused.came.size).toBe(0);
  expect(paused.readTo).toBe(0n);
  held.resolve();
  paused.membership?.resume(place);
  await until('the others have all', () => stuck.came.size === 1000 && paused.came.size === 500);
  expect([quick, stuck, paused].every(({ inOrder }) => inOrder)).toBe(true);
});

test('those that are behind read what they need together, and then follow', async () => {
  for (let n = 0; n < 2000; n += 1) await append('old');
  const members = Array.from({ length: 100 }, (_, i) => new Member(wants(`t${i}`)));
  reads = 0;
  await Promise.all(members.map((member, i) => broker.join(`g${i}`, [topic], member)));
  await until('all have passed it', () => members.every(({ readTo }) => readTo === 2000n));
  expect(reads).toBeLessThan(100);
  await append('t3');
  await until('who wants it has it', () => members[3]?.came.size === 1);
});

test('each gets what it wants, in order and at least once, and no place goes past what it was not handed', async () => {
  const random = new Seeded(seedOfRun());
  const model = new Map<string, bigint[]>();
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const members = Array.from({ length: 60 }, (_, i) => {
    const mine = random.part(`member ${i}`);
    const types = Array.from({ length: 1 + mine.below(3) }, () => `t${mine.below(kinds)}`);
    const interest = i % 20 === 0 ? null : wants(...types);
    const member = new Member(interest, async (one) => {
      for (let turns = mine.below(4); turns > 0; turns -= 1) await turn();
      if (mine.below(5) === 0) one.membership?.pause(place);
    });
    return { member, types, takesAll: interest === null };
  });
  const offsetsFor = ({ types, takesAll }: (typeof members)[number]) =>
    [...model].flatMap(([type, offsets]) => (takesAll || types.includes(type) ? offsets : []));
  const check = () => {
    for (const one of members) {
      const { member } = one;
      const { readTo } = member;
      const missing = offsetsFor(one).find((offset) => offset < readTo && !member.came.has(offset));
      expect(missing, `seed ${random.seed}`).toBeUndefined();
      expect(member.inOrder, `seed ${random.seed}`).toBe(true);
    }
  };
  for (let step = 0; step < 1500; step += 1) {
    const some = random.pick(members);
    const waiting = members.find(({ member }) => member.membership === null);
    if (waiting !== undefined && random.below(3) === 0)
      await broker.join(`g${members.indexOf(waiting)}`, [topic], waiting.member);
    if (random.below(4) === 0) some.member.membership?.pause(place);
    else if (random.below(2) === 0) some.member.membership?.resume(place);
    const type = `t${random.below(kinds)}`;
    const offset = await append(type);
    model.set(type, [...(model.get(type) ?? []), offset]);
    if (random.below(3) === 0) await turn();
    if (step % 10 === 0) check();
  }
  await until('each has all it wants', () => {
    for (const { member } of members) member.membership?.resume(place);
    return members.every((one) => offsetsFor(one).every((offset) => one.member.came.has(offset)));
  });
  await until('all have passed the rest', () => {
    for (const { member } of members) member.membership?.resume(place);
    return members.every(({ member }) => member.readTo === 1500n);
  });
  check();
  expect(members.every(({ member }) => [...member.came.values()].every((times) => times === 1))).toBe(true);
});
