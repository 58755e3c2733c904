// A flipped bit beside the messages: in a group's mark, in where a partition begins, in a topic's row. It may repeat, or be told; it must not lose.
import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readMetadata } from '#src/dispatcher/window/offset-tracker.js';
import { type EmbeddedHome, embeddedHome } from '../support/embedded.js';
import { GroupLog } from '../support/group-log.js';
import { overwrite } from '../support/log-lab.js';
import { until } from '../support/until.js';

const topic = 'orders-of-today';
const group = 'group-of-marks';
const metadata = '2:c5:1.3';
const mark = 10;

let homes: EmbeddedHome[];

beforeEach(() => {
  homes = [];
});

afterEach(async () => {
  for (const home of homes) await home.remove();
});

async function newHome(): Promise<EmbeddedHome> {
  const home = await embeddedHome();
  homes.push(home);
  return home;
}

const databaseOf = (home: EmbeddedHome) => join(home.directory, 'bigpipe.db');

/** 40 messages, ten of them settled by a group; all in the database file. */
async function logWithMark(): Promise<EmbeddedHome> {
  const home = await newHome();
  const broker = home.make();
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
  for (let i = 0; i < 40; i += 1) {
    await broker.append([{ topic, partition: 0, key: null, body: Buffer.from(`body ${i}`), headers: {} }], -1);
  }
  const membership = await broker.join(group, [topic], new GroupLog());
  await membership.commit({ topic, partition: 0 }, { offset: BigInt(mark), metadata });
  await broker.close();
  return home;
}

interface Start {
  /** `offset metadata` where the group begins; null when it does not. */
  readonly at: string | null;
  readonly isTold: boolean;
}

/** After one bit was flipped in the byte that stands so far behind the text. */
async function startAfterFlip(home: EmbeddedHome, text: string, behind: number, bit: number): Promise<Start> {
  const copy = await newHome();
  await cp(home.directory, copy.directory, { recursive: true });
  const at = readFileSync(databaseOf(copy)).lastIndexOf(text) + behind;
  await overwrite(databaseOf(copy), at, 1, (old) => Buffer.from([(old[0] as number) ^ bit]));
  const broker = copy.make();
  const isTold = () => broker.counters.damagedRanges > 0 || copy.reports.length > 0;
  try {
    await broker.open();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    const log = new GroupLog();
    await broker.join(group, [topic], log);
    const { offset, metadata: found } = await until('it is assigned', () => log.assignments[0]?.start);
    return { at: `${offset} ${found}`, isTold: isTold() };
  } catch {
    return { at: null, isTold: true };
  } finally {
    await broker.close();
  }
}

/** Which of the 40 count as settled. */
function settledBy(offset: number, note: string): Set<number> {
  const settled = new Set(Array.from({ length: 40 }, (_, i) => i).filter((i) => i < offset));
  for (const [first, end] of readMetadata(BigInt(offset), note).settled) {
    for (let i = Number(first); i < Number(end); i += 1) settled.add(i);
  }
  return settled;
}

const settled = settledBy(mark, metadata);

/** True when something that was not settled counts as settled, and nothing is said. */
function loses({ at, isTold }: Start): boolean {
  if (isTold || at === null) return false;
  const [offset = '', ...rest] = at.split(' ');
  return [...settledBy(Number(offset), rest.join(' '))].some((i) => !settled.has(i));
}

const bits = [1, 4, 64];

async function losing(text: string, from: number, count: number): Promise<string[]> {
  const home = await logWithMark();
  const found: string[] = [];
  for (let behind = from; behind < from + count; behind += 1) {
    for (const bit of bits) {
      const start = await startAfterFlip(home, text, behind, bit);
      if (loses(start)) found.push(`byte ${behind} bit ${bit}: ${start.at}`);
    }
  }
  return found;
}

// Marks stand in their table without a checksum: these flips settle, in silence, what no receiver has had.
test('no flipped bit in a mark settles what is not settled', async () => {
  expect(await losing(group, group.length, 1)).toEqual([]);
});

test('no flipped bit in what a mark says settles what is not settled', async () => {
  expect(await losing(metadata, 5, 3)).toEqual([]);
});

test("no flipped bit in a group's name or in front of it settles what is not settled", async () => {
  expect(await losing(group, -6, 8)).toEqual([]);
});

test("no flipped bit in a topic's row hides its messages", async () => {
  expect(await losing(topic, -3, 6)).toEqual([]);
});
