// The log cut at every byte of its last commit, and single bytes of it flipped: what is whole is read, what is not is told.
import { cp, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import type { Message } from '#src/message/message.js';
import { type EmbeddedHome, embeddedHome } from '../support/embedded.js';
import { GroupLog } from '../support/group-log.js';
import { overwrite } from '../support/log-lab.js';
import { Seeded, seedOfRun } from '../support/seeded.js';
import { until } from '../support/until.js';

/** CUTS=1 tries every byte; a test run every so many. */
const cutStep = Number(process.env['CUTS'] ?? 397);
/** FLIPS=200 for the figures. */
const flips = Number(process.env['FLIPS'] ?? 30);
const topic = 'test';
const partitions = 2;

let homes: EmbeddedHome[];

beforeEach(() => {
  homes = [];
});

afterEach(async () => {
  for (const home of homes) await home.remove();
});

async function newHome(copyOf?: EmbeddedHome): Promise<EmbeddedHome> {
  const home = await embeddedHome();
  homes.push(home);
  if (copyOf !== undefined) {
    // As a machine that lost its power leaves it: no shared memory, nobody's lock.
    const filter = (source: string) => !/-shm$|\.lock/.test(source);
    await cp(copyOf.directory, home.directory, { recursive: true, filter });
  }
  return home;
}

const databaseOf = (home: EmbeddedHome) => join(home.directory, 'bigpipe.db');

const textOf = (i: number, bytes: number) => `message-${String(i).padStart(4, '0')}|`.padEnd(bytes, `${i}|`);

const message = (i: number, bytes: number): Message => ({
  topic,
  partition: i % partitions,
  key: Buffer.from(`key ${i % 7}`),
  body: Buffer.from(textOf(i, bytes)),
  headers: { 'bigpipe-message-id': `message-${i}` },
});

interface Found {
  /** `partition/offset key id body` of all that could be read. */
  readonly records: ReadonlySet<string>;
  readonly damagedMessages: number;
}

async function readAll(broker: EmbeddedBroker): Promise<Found> {
  const log = new GroupLog();
  await broker.join('reader', [topic], log);
  const reached = (partition: number, end: bigint) =>
    end === (broker.startOffset({ topic, partition }) ?? 0n) ||
    log.batches.some((batch) => batch.partition === partition && batch.nextOffset >= end);
  await until('all is read', () =>
    broker.lag('reader', topic).every(({ partition, highWatermark }) => reached(partition, highWatermark)),
  );
  const records = log.received.map(
    ({ partition, offset, key, headers, body }) =>
      `${partition}/${offset} ${key?.toString()} ${headers['bigpipe-message-id']} ${body.toString()}`,
  );
  return { records: new Set(records), damagedMessages: broker.counters.damagedMessages };
}

test('the write-ahead log cut anywhere in its last commit gives all that was committed before, exactly, and no damage', async () => {
  const home = await newHome();
  const broker = home.make();
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
  for (let i = 0; i < 20; i += 1) await broker.append([message(i, 50 + i * 40)], -1);
  const before = await readAll(broker);
  const wal = `${databaseOf(home)}-wal`;
  const from = (await stat(wal)).size;
  await broker.append([message(20, 3000)], -1);
  const to = (await stat(wal)).size;
  const cuts: number[] = [];
  for (let cut = from; cut < to; cut += cutStep) cuts.push(cut);
  cuts.push(to - 1, to);
  for (const cut of cuts) {
    const copy = await newHome(home);
    await truncate(`${databaseOf(copy)}-wal`, cut);
    const other = copy.make();
    await other.open();
    const { records, damagedMessages } = await readAll(other);
    await other.close();
    expect({ cut, count: records.size, damagedMessages, reports: copy.reports }).toEqual({
      cut,
      count: cut === to ? 21 : 20,
      damagedMessages: 0,
      reports: [],
    });
    for (const record of before.records) expect(records.has(record)).toBe(true);
    await copy.remove();
  }
  console.log(`cut at ${cuts.length} places from ${from} to ${to}`);
  await broker.close();
}, 3_600_000);

type End = 'refused' | 'all there' | 'told' | 'silent' | 'wrong';

async function endOf(home: EmbeddedHome, whole: Found): Promise<{ end: End; missing: number; said: string }> {
  const broker = home.make();
  try {
    try {
      await broker.open();
    } catch (error) {
      await broker.close();
      return { end: 'refused', missing: whole.records.size, said: String(error) };
    }
    const { records, damagedMessages } = await readAll(broker);
    const wrong = [...records].filter((record) => !whole.records.has(record));
    const missing = whole.records.size - (records.size - wrong.length);
    if (wrong.length > 0) return { end: 'wrong', missing, said: (wrong[0] as string).slice(0, 100) };
    if (missing === 0) return { end: 'all there', missing, said: home.reports.join() };
    const isTold = damagedMessages >= missing || home.reports.length > 0;
    return { end: isTold ? 'told' : 'silent', missing, said: home.reports.join().slice(0, 200) };
  } finally {
    await broker.close();
  }
}

test(`${flips} flipped bytes of the database: nothing wrong is read, nothing is missing in silence`, async () => {
  const seed = seedOfRun();
  console.log(`SEED=${seed}`);
  const random = new Seeded(seed);
  const home = await newHome();
  const broker = home.make();
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
  for (let i = 0; i < 240; ) {
    const together = 1 + random.below(5);
    const messages = Array.from({ length: together }, (_, k) => message(i + k, 20 + random.below(4000)));
    await broker.append(messages, -1);
    i += together;
  }
  const whole = await readAll(broker);
  await broker.close();
  const { size } = await stat(databaseOf(home));
  const ends = new Map<End, number>();
  const bad: string[] = [];
  let most = 0;
  for (let i = 0; i < flips; i += 1) {
    const copy = await newHome(home);
    const at = random.below(size);
    const bit = 1 << random.below(8);
    await overwrite(databaseOf(copy), at, 1, (old) => Buffer.from([(old[0] as number) ^ bit]));
    const { end, missing, said } = await endOf(copy, whole);
    ends.set(end, (ends.get(end) ?? 0) + 1);
    if (end === 'told') most = Math.max(most, missing);
    if (end === 'silent' || end === 'wrong') bad.push(`${end} at ${at} bit ${bit}: ${missing} missing; ${said}`);
    if (end === 'refused') console.log(`refused: byte ${at} of ${size}: ${said}`);
    if (end === 'told' && missing > 10) console.log(`${missing} missing: byte ${at}: ${said}`);
    await copy.remove();
  }
  console.log(
    `${whole.records.size} records, ${size} bytes, ${JSON.stringify(Object.fromEntries(ends))}, at most ${most} missing`,
  );
  expect(bad).toEqual([]);
}, 3_600_000);
