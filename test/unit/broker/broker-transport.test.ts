// What is read in the same moment reaches the handler together, and each partition goes on by itself.
import { beforeEach, expect, test } from 'vitest';
import { BrokerTransport, groupEvent, type Handover, type MessagesEvent } from '#src/broker/broker.transport.js';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import { FakeClock } from '../../support/fake-clock.js';
import { until } from '../../support/until.js';

const topics = ['a', 'b', 'c'];

let broker: MemoryBroker;
let transport: BrokerTransport;
let events: string[][];
let reports: unknown[];
let take: (handover: Handover) => void;

const textOf = ({ batch }: Handover) => `${batch.topic} ${batch.messages.map(({ body }) => body).join(',')}`;

beforeEach(async () => {
  events = [];
  reports = [];
  take = () => undefined;
  const report = (_text: string, error: unknown) => reports.push(error);
  broker = new MemoryBroker({ maxBytes: 1_000_000, clock: new FakeClock(), report });
  transport = new BrokerTransport(broker);
  const ignored = async () => undefined;
  transport.addHandler(groupEvent.assigned, ignored, true);
  transport.addHandler(groupEvent.revoked, ignored, true);
  const handler = async ({ handovers }: MessagesEvent) => {
    events.push(handovers.map(textOf));
    for (const handover of handovers) take(handover);
  };
  transport.addHandler(groupEvent.messages, handler, true);
  for (const name of topics) {
    await broker.ensureTopic({ name, partitions: 1, retention: 'standard' });
    await transport.join(`group of ${name}`, [name], () => null);
  }
});

/** Under way at once: all that is appended before anybody reads. */
const append = (body: string, ...to: string[]) =>
  Promise.all(to.map((topic) => broker.append([{ topic, key: null, headers: {}, body: Buffer.from(body) }], -1)));

test('one event for all members that have something to read', async () => {
  await append('1', ...topics);
  await until('all have come', () => events.flat().length === 3);
  expect(events).toEqual([['a 1', 'b 1', 'c 1']]);
  await append('2', 'b');
  await until('the next', () => events.length === 2);
  expect(events[1]).toEqual(['b 2']);
});

test('a partition whose batch waits for something holds up no other, and its next batch comes behind it', async () => {
  const waits = Promise.withResolvers<void>();
  take = (handover) => {
    if (handover.batch.topic === 'a') handover.taken = waits.promise;
  };
  await append('1', ...topics);
  await until('all have come', () => events.flat().length === 3);
  await append('2', ...topics);
  await until('the others go on', () => events.flat().length === 5);
  await append('3', ...topics);
  await until('and on', () => events.flat().length === 7);
  expect(events.flat().filter((text) => text.startsWith('a'))).toEqual(['a 1']);
  waits.resolve();
  await until('what has come meanwhile', () => events.flat().includes('a 2,3'));
});

test('a batch that was not taken is told of, and holds up no other', async () => {
  const failure = new Error('no');
  take = (handover) => {
    if (handover.batch.topic === 'b') handover.taken = Promise.reject(failure);
  };
  await append('1', ...topics);
  await until('it is told', () => reports.length > 0);
  expect(reports).toEqual([failure]);
  await append('2', 'a', 'c');
  await until('the others go on', () => events.flat().includes('a 2') && events.flat().includes('c 2'));
  expect(events.flat().filter((text) => text.startsWith('b'))).toEqual(['b 1']);
});
