// The log cut at every byte of its last commit, and single bytes of it flipped: what is whole is read, what is not is told.
import { existsSync } from 'node:fs';
import { cp, readFile, rm, stat, writeFile } from 'node:fs/promises';
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

/** A file system in memory. */
const memory = '/dev/shm';

async function newHome(copyOf?: EmbeddedHome, base?: string): Promise<EmbeddedHome> {
  const home = await embeddedHome(base);
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

/** What a dead process left behind; what counts here is in the bytes, so memory serves as a disk. */
class Remains {
  private readonly homes: EmbeddedHome[] = [];

  private constructor(
    private readonly database: Buffer,
    readonly wal: Buffer,
  ) {}

  static async of(home: EmbeddedHome): Promise<Remains> {
    const file = databaseOf(home);
    return new Remains(await readFile(file), await readFile(`${file}-wal`));
  }

  /** A broker on its own copy with so much of the write-ahead log, opened, asked for all that it has, and closed. */
  async foundAfterCut(cut: number): Promise<Found & { reports: readonly string[] }> {
    const home = this.homes.pop() ?? (await newHome(undefined, existsSync(memory) ? memory : undefined));
    const file = databaseOf(home);
    await Promise.all([writeFile(file, this.database), rm(`${file}-shm`, { force: true })]);
    await writeFile(`${file}-wal`, this.wal.subarray(0, cut));
    home.reports.length = 0;
    const broker = home.make({ fsync: false });
    await broker.open();
    const found = await readAll(broker);
    await broker.close();
    this.homes.push(home);
    return { ...found, reports: [...home.reports] };
  }
}

test('the write-ahead log cut anywhere in its last commit gives all that was committed before, exactly, and no damage', async () => {
  const home = await newHome();
  const first = home.make();
  await first.open();
  await first.ensureTopic({ name: topic, partitions, retention: 'standard' });
  for (let i = 0; i < 20; i += 1) await first.append([message(i, 50)], -1);
  await readAll(first);
  // A log that was closed has nothing in its write-ahead log.
  await first.close();
  const broker = home.make();
  await broker.open();
  for (let i = 20; i < 23; i += 1) await broker.append([message(i, 100)], -1);
  const before = await readAll(broker);
  const from = (await stat(`${databaseOf(home)}-wal`)).size;
  await broker.append([message(23, 3000)], -1);
  const remains = await Remains.of(home);
  await broker.close();
  const to = remains.wal.length;
  const cuts: number[] = [];
  for (let cut = from; cut < to - 1; cut += cutStep) cuts.push(cut);
  cuts.push(to - 1, to);
  let next = 0;
  const startedMs = performance.now();
  const checkOn = async () => {
    for (let cut = cuts[next]; cut !== undefined; cut = cuts[next]) {
      next += 1;
      const { records, damagedMessages, reports } = await remains.foundAfterCut(cut);
      const missing = [...before.records].filter((record) => !records.has(record));
      const count = before.records.size + (cut === to ? 1 : 0);
      expect({ cut, count: records.size, missing, damagedMessages, reports }).toEqual({
        cut,
        count,
        missing: [],
        damagedMessages: 0,
        reports: [],
      });
      if (next % 500 === 0) console.log(`${next} cuts, ${((performance.now() - startedMs) / next).toFixed(1)} ms each`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, checkOn));
  console.log(
    `cut at ${cuts.length} places from ${from} to ${to}: ${before.records.size} records before, one in the last commit`,
  );
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
