// A message is found by its id in a long log, without an index and without reading all of it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import { newMessageId } from '#src/message/message-id.js';
import { MessageFinder } from '#src/tracking/message-finder.js';
import { FakeClock } from '../../support/fake-clock.js';

const topic = 'orders';
let clock: FakeClock;
let broker: MemoryBroker;
let finder: MessageFinder;
let fetched: number;

beforeEach(async () => {
  clock = new FakeClock();
  broker = new MemoryBroker({ maxBytes: 1_000_000_000, clock, report: () => undefined });
  await broker.ensureTopic({ name: topic, partitions: 3, retention: 'standard' });
  fetched = 0;
  const fetch = broker.fetch.bind(broker);
  broker.fetch = (partition, offset) => {
    fetched += 1;
    return fetch(partition, offset);
  };
  finder = new MessageFinder(broker);
});

afterEach(() => broker.close());

/** One every 10 ms; resolves to the ids. */
async function append(count: number, idOf: (i: number) => string): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const id = idOf(i);
    ids.push(id);
    const message = {
      topic,
      key: null,
      partition: i % 3,
      body: Buffer.from(''),
      headers: { 'bigpipe-message-id': id },
    };
    await broker.append([message], -1);
    clock.advance(10);
  }
  return ids;
}

const placesOf = async (id: string, topics = [topic]) => {
  const { messages, isWhole } = await finder.find(id, topics);
  return { places: messages.map(({ partition, offset }) => `${partition}/${offset}`), isWhole };
};

test('wherever it stands', async () => {
  const ids = await append(100_000, () => newMessageId(clock.now()));
  for (const i of [0, 1, 49_999, 77_777, 99_999]) {
    fetched = 0;
    const { places } = await placesOf(ids[i] as string);
    expect(places).toEqual([`${i % 3}/${Math.floor(i / 3)}`]);
    // Of 390 batches.
    expect(fetched).toBeLessThan(150);
  }
});

test('of a time at which nothing was stored is told to be nowhere', async () => {
  await append(1000, () => newMessageId(clock.now()));
  expect(await placesOf(newMessageId(clock.now() + 3_600_000))).toEqual({ places: [], isWhole: true });
  expect(await placesOf(newMessageId(clock.now() - 3_600_000))).toEqual({ places: [], isWhole: true });
});

test('that a caller chose is found among the newest, twice if it was used twice', async () => {
  await append(1000, (i) => `mine-${i % 999}`);
  expect(await placesOf('mine-0')).toEqual({ places: ['0/0', '0/333'], isWhole: false });
});

test('in an empty topic nothing is found', async () => {
  expect(await placesOf(newMessageId(clock.now()))).toEqual({ places: [], isWhole: true });
});
