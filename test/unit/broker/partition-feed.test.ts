// One partition's way to one member, when reading fails for a while.
import { expect, test } from 'vitest';
import type { MessageBatch } from '#src/broker/broker.js';
import { InterestIndex } from '#src/broker/interest-index.js';
import { PartitionFeed } from '#src/broker/partition-feed.js';
import type { PartitionLog, ReadResult } from '#src/broker/partition-log.js';
import { PartitionReaders } from '#src/broker/partition-readers.js';
import { FakeClock } from '../../support/fake-clock.js';
import { until } from '../../support/until.js';

const partition = { topic: 't', partition: 0 };

function feedOf(
  log: PartitionLog,
  clock: FakeClock,
  deliver: (batch: MessageBatch) => void,
  failed: (error: unknown) => void = () => undefined,
): PartitionFeed<string> {
  const readers = new PartitionReaders<string>({ partition, log, clock, index: new InterestIndex(), failed });
  const feed = new PartitionFeed({ member: 'one', partition, start: 0n, log, clock, readers, deliver, failed });
  readers.add(feed);
  return feed;
}

test('a read that fails is tried again, and what was to be read comes then', async () => {
  const clock = new FakeClock();
  const failures: unknown[] = [];
  const batches: MessageBatch[] = [];
  let isBroken = true;
  const read = (_at: object, offset: bigint): ReadResult | null => {
    if (isBroken) throw new Error('the disk does not answer');
    return offset === 0n ? { messages: [], nextOffset: 5n } : null;
  };
  const log = { read, highWatermark: () => 5n } as unknown as PartitionLog;
  const feed = feedOf(
    log,
    clock,
    (batch) => void batches.push(batch),
    (e) => failures.push(e),
  );
  feed.start();
  await until('it has failed', () => failures.length === 1 && clock.pending === 1);
  isBroken = false;
  feed.wake();
  expect(batches).toEqual([]);
  clock.advance(1000);
  await until('it is read', () => batches.length === 1);
  expect(batches[0]?.nextOffset).toBe(5n);
  await feed.stop();
  expect(clock.pending).toBe(0);
});

test('nothing is handed over before the start, and a batch whose handler throws comes again', async () => {
  const clock = new FakeClock();
  const offsets: bigint[] = [];
  const read = (_at: object, offset: bigint): ReadResult | null =>
    offset < 3n ? { messages: [], nextOffset: 3n } : null;
  const log = { read, highWatermark: () => 3n } as unknown as PartitionLog;
  const deliver = ({ nextOffset }: MessageBatch) => {
    offsets.push(nextOffset);
    if (offsets.length === 1) throw new Error('a bug');
  };
  const feed = feedOf(log, clock, deliver);
  feed.wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(offsets).toEqual([]);
  feed.start();
  await until('it has failed', () => clock.pending === 1);
  clock.advance(1000);
  await until('it came again', () => offsets.length === 2);
  expect(offsets).toEqual([3n, 3n]);
  await feed.stop();
});
