// When a write begins: at once where nothing else happens, and with more in it where the event loop is busy.
import { expect, test } from 'vitest';
import { GroupCommit } from '#src/broker/drivers/embedded/group-commit.js';
import { LogStore, type StoreWrite } from '#src/broker/drivers/embedded/log-store.js';
import { FakeClock } from '../../../support/fake-clock.js';

class CountingStore extends LogStore {
  override readonly isAlive = true;
  readonly counts: number[] = [];

  override write({ buffer, chunks }: StoreWrite): Promise<ArrayBuffer> {
    this.counts.push(chunks.reduce((sum, { count }) => sum + count, 0));
    return Promise.resolve(buffer);
  }

  override open = () => Promise.reject(new Error('not asked'));
  override ensureTopic = this.open;
  override read = () => null;
  override nextReadable = () => 0;
  override noteDamage = this.open;
  override retain = this.open;
  override seal = this.open;
  override check = this.open;
  override close = this.open;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function lab(loopEvents: () => number, clock = new FakeClock()) {
  const store = new CountingStore();
  const partition = { topicId: 1, topic: 'orders', partition: 0, isAside: false, end: 0 };
  const copies = { topicId: 2, topic: 'orders.G.overflow', partition: 0, isAside: true, end: 0 };
  const nothing = () => undefined;
  const events = { stored: nothing, committed: nothing, wrote: nothing, full: nothing, stopped: nothing };
  const commit = new GroupCommit(store, clock, events, loopEvents);
  const append = (bytes = 10) =>
    commit.append([{ topic: 'orders', key: null, body: Buffer.alloc(bytes), headers: {} }], [partition]);
  return { store, append, commit, partition, copies };
}

/** Each time it is asked more has happened. */
const busy = () => {
  let events = 0;
  return () => {
    events += 1;
    return events;
  };
};

test('while the loop is busy, what comes in the next turns shares the write', async () => {
  const { store, append } = lab(busy());
  const appends: Promise<unknown>[] = [];
  for (let i = 0; i < 5; i += 1) {
    appends.push(append());
    await turn();
  }
  await Promise.all(appends);
  expect(store.counts).toEqual([5]);
});

test('where nothing else happens it does not wait for time to pass', async () => {
  const { store, append } = lab(() => 7);
  const appended = append();
  // The turn in which it was asked, and one in which nothing came.
  for (let i = 0; i < 3; i += 1) await turn();
  expect(store.counts).toEqual([1]);
  await appended;
});

test('it does not wait for ever, though the loop stays busy and no time passes', async () => {
  const { store, append } = lab(busy());
  await append();
  expect(store.counts).toEqual([1]);
});

test('time ends the wait too', async () => {
  const clock = new FakeClock();
  const { store, append } = lab(busy(), clock);
  const appends: Promise<unknown>[] = [];
  for (let i = 0; i < 6; i += 1) {
    appends.push(append());
    await turn();
    clock.advance(1);
  }
  await Promise.all(appends);
  expect(store.counts[0]).toBeLessThan(6);
});

test('a write that is large enough does not wait', async () => {
  const { store, append } = lab(busy());
  const large = append(100_000);
  await turn();
  await turn();
  const later = append();
  await Promise.all([large, later]);
  expect(store.counts).toEqual([1, 1]);
});

const copy = { topic: 'orders.G.overflow', key: null, body: Buffer.alloc(10), headers: {} };
const large = { ...copy, body: Buffer.alloc(200_000) };

test('what no caller waits for goes with what the next caller appends', async () => {
  const { store, append, commit, copies } = lab(() => 7);
  await append();
  const appended = [1, 2, 3].map(() => commit.append([copy], [copies]));
  for (let i = 0; i < 5; i += 1) await turn();
  expect(store.counts).toEqual([1]);
  await append();
  expect(store.counts).toEqual([1, 4]);
  expect(await Promise.all(appended)).toEqual([[0n], [1n], [2n]]);
});

test('it goes by itself once it has waited for one, and at once where none has come for long', async () => {
  const clock = new FakeClock();
  const { store, append, commit, copies } = lab(() => 7, clock);
  await commit.append([copy], [copies]);
  expect(store.counts).toEqual([1]);
  await append();
  const appended = commit.append([copy], [copies]);
  for (let i = 0; i < 5; i += 1) await turn();
  expect(store.counts).toEqual([1, 1]);
  clock.advance(10);
  await appended;
  expect(store.counts).toEqual([1, 1, 1]);
});

test('callers wait for a part of it only, and all of it is written in its order', async () => {
  const { store, append, commit, copies } = lab(() => 7);
  await append();
  const appended = Array.from({ length: 5 }, () => commit.append([large], [copies]));
  await append();
  expect(store.counts).toEqual([1, 2]);
  await commit.drained();
  expect(await Promise.all(appended)).toEqual([[0n], [1n], [2n], [3n], [4n]]);
  expect(store.counts).toEqual([1, 2, 1, 1, 1, 1]);
});

test('what is appended to both kinds of partitions at once does not overtake', async () => {
  const { append, commit, partition, copies } = lab(() => 7);
  await append();
  const first = commit.append([copy], [copies]);
  const both = commit.append([{ ...copy, topic: 'orders' }, copy], [partition, copies]);
  expect(await first).toEqual([0n]);
  expect(await both).toEqual([1n, 1n]);
});

test('drained waits for it too, and it is written', async () => {
  const { store, append, commit, copies } = lab(() => 7);
  await append();
  void commit.append([copy], [copies]);
  await commit.drained();
  expect(store.counts).toEqual([1, 1]);
});

test('what comes after another has gone is not forgotten, though nobody appends any more', async () => {
  const clock = new FakeClock();
  const { store, append, commit, copies } = lab(() => 7, clock);
  await append();
  void commit.append([copy], [copies]);
  clock.advance(5);
  await append();
  const last = commit.append([copy], [copies]);
  clock.advance(5);
  for (let i = 0; i < 5; i += 1) await turn();
  expect(store.counts).toEqual([1, 2]);
  clock.advance(10);
  expect(await last).toEqual([1n]);
});
