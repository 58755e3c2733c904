// Damage in the database file: what is damaged is never delivered, and named; all the rest is delivered.
import { readFileSync } from 'node:fs';
import { readdir, readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  bodyOf,
  brokerStats,
  checkLog,
  flip,
  idOf,
  idsBut,
  LogLab,
  logged,
  overwrite,
  placeOf,
  settleAll,
  timesIn,
} from '../support/log-lab.js';
import { databaseOf } from '../support/stored-log.js';
import { until } from '../support/until.js';

const pageBytes = 8192;

let lab: LogLab;

beforeEach(async () => {
  lab = await LogLab.open();
});

afterEach(async () => {
  await lab.close();
});

for (const by of ['SIGTERM', 'SIGKILL'] as const) {
  test(`after ${by}, a flipped byte takes one message, is counted, logged and named`, async () => {
    const home = await lab.filled(30, by);
    const file = databaseOf(home);
    await flip(file, placeOf(file, bodyOf(12)) + 20);
    const second = await lab.start(home, 'delivers');
    await settleAll(second);
    expect(lab.arrivedIds()).toEqual(idsBut(30, 12));
    expect(await brokerStats(second)).toMatchObject({ damagedRanges: 1, damagedMessages: 1 });
    const lines = logged(second, 'damaged');
    expect(lines).toHaveLength(1);
    const range = /test\/\d+ offsets \d+ to \d+/.exec(lines[0] as string)?.[0] as string;
    expect(range).toBeDefined();
    const { ok, faults } = await checkLog(second);
    expect(ok).toBe(false);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(range);
    // It is still the owner of a log that works.
    await lab.call(second, 30);
    await until('a new call arrives', () => lab.target.countById().has(idOf(30)));
    await lab.end(second, 'SIGKILL');
    const third = await lab.start(home, 'delivers');
    await settleAll(third);
    await lab.end(third, 'SIGTERM');
    expect(lab.target.countById().has(idOf(12))).toBe(false);
    expect(lab.target.arrivals.filter(({ body }) => !lab.ledger.accepted.has(body.toString().slice(0, 11)))).toEqual(
      [],
    );
  });
}

test('any byte of a stored chunk may be flipped: checksum, head, key, headers, body', async () => {
  const count = 40;
  const home = await lab.filled(count, 'SIGTERM');
  const file = databaseOf(home);
  const spoilt: number[] = [];
  for (let i = 1; i < count; i += 2) {
    // SQLite leaves a second copy where it moved rows about: not to be told from the one that counts.
    if (timesIn(file, bodyOf(i)) > 1) continue;
    const body = placeOf(file, bodyOf(i));
    // Head (16), record head (14), key (5), length of the headers (4), headers, body.
    const chunk = readFileSync(file).lastIndexOf(`key ${i % 5}`, body) - 30;
    await flip(file, chunk + Math.floor(((body + 99 - chunk) * i) / count));
    spoilt.push(i);
  }
  expect(spoilt.length).toBeGreaterThanOrEqual(15);
  const process = await lab.start(home, 'delivers');
  await settleAll(process);
  expect(lab.arrivedIds()).toEqual(idsBut(count, ...spoilt));
  expect(lab.ledger.faults(lab.target, 1).filter((fault) => !fault.endsWith('is lost'))).toEqual([]);
  expect(Number((await brokerStats(process))['damagedMessages'])).toBe(spoilt.length);
  expect((await checkLog(process)).faults).toHaveLength(spoilt.length);
  await lab.end(process, 'SIGTERM');
});

/** Zeros in the place of the page that begins message 60's chunk; the messages that begin there. */
async function zeroPage(home: string): Promise<number[]> {
  const file = databaseOf(home);
  const page = Math.floor(placeOf(file, bodyOf(60, 3000).slice(0, 500)) / pageBytes) * pageBytes;
  const lost: number[] = [];
  await overwrite(file, page, pageBytes, (old) => {
    for (let i = 0; i < 120; i += 1) if (old.includes(`${idOf(i)} `)) lost.push(i);
    return Buffer.alloc(pageBytes);
  });
  return lost;
}

test('a page of zeros takes the messages on it, and no other', async () => {
  const home = await lab.filled(120, 'SIGTERM', 3000);
  const lost = await zeroPage(home);
  expect(lost).toContain(60);
  const process = await lab.start(home, 'delivers');
  await settleAll(process);
  expect(lab.arrivedIds()).toEqual(idsBut(120, ...lost));
  expect(Number((await brokerStats(process))['damagedMessages'])).toBe(lost.length);
  expect(logged(process, 'damaged')).not.toEqual([]);
  await lab.end(process, 'SIGTERM');
});

test('POST /broker/check names a page of zeros', async () => {
  const home = await lab.filled(120, 'SIGTERM', 3000);
  await zeroPage(home);
  const process = await lab.start(home, 'delivers');
  await settleAll(process);
  const { ok, faults } = await checkLog(process);
  expect(ok).toBe(false);
  expect(faults.join('\n')).toMatch(/test\/\d+/);
});

/** A start that must fail: what it said. */
async function refusedStart(home: string): Promise<string> {
  const process = await lab.spawn(home);
  const hasStarted = () => logged(process, 'bigpipe is running').length > 0;
  await until('it has ended', () => {
    if (hasStarted()) throw new Error('it started');
    return process.child.exitCode !== null;
  });
  const code = process.child.exitCode;
  expect(code).not.toBe(0);
  expect(typeof code).toBe('number');
  const said = process.stderr.join('\n');
  expect(said).toMatch(/^bigpipe: /);
  expect(said).not.toMatch(/^\s+at /m);
  return said;
}

for (const by of ['SIGTERM', 'SIGKILL'] as const) {
  test(`after ${by}, a removed database is an error, not a new beginning`, async () => {
    const home = await lab.newHome();
    const first = await lab.start(home, 'fills');
    await lab.call(first, 0);
    await lab.end(first, by);
    await unlink(databaseOf(home));
    const said = await refusedStart(home);
    expect(said).toContain(databaseOf(home));
    expect(said).toContain('missing');
    expect(await readdir(join(home, 'data'))).not.toContain('bigpipe.db');
  });
}

test('garbage in the place of the database is an error, and the garbage stays as it is', async () => {
  const home = await lab.filled(3, 'SIGTERM');
  const garbage = Buffer.alloc(5 * pageBytes, 'not a database. ');
  await writeFile(databaseOf(home), garbage);
  expect(await refusedStart(home)).toContain('storage-damaged');
  expect((await readFile(databaseOf(home))).equals(garbage)).toBe(true);
});

test('what is said about garbage in the place of the database names the file', async () => {
  const home = await lab.filled(3, 'SIGTERM');
  await writeFile(databaseOf(home), Buffer.alloc(5 * pageBytes, 'not a database. '));
  expect(await refusedStart(home)).toContain(join(home, 'data'));
});

test('an emptied database is an error, not a new beginning', async () => {
  const home = await lab.filled(3, 'SIGTERM');
  await truncate(databaseOf(home), 0);
  expect(await refusedStart(home)).toContain(databaseOf(home));
});

test('a database cut short is told: by an error, or as damage', async () => {
  const home = await lab.filled(60, 'SIGTERM', 3000);
  const { size } = await stat(databaseOf(home));
  await truncate(databaseOf(home), Math.floor(size / pageBytes / 2) * pageBytes);
  const process = await lab.spawn(home);
  await until(
    'it has ended or tells of damage',
    () => process.child.exitCode !== null || logged(process, 'damaged').length > 0,
  );
  if (process.child.exitCode === null) return;
  expect(process.child.exitCode).not.toBe(0);
  expect(process.stderr.join('\n')).not.toMatch(/^\s+at /m);
});

test('garbage in the lock file is not told as another process', async () => {
  const home = await lab.filled(3, 'SIGTERM');
  await writeFile(join(home, 'data', 'bigpipe.lock'), Buffer.alloc(pageBytes, 'not a database. '));
  expect(await refusedStart(home)).not.toContain('in use by another process');
});

test('a clean stop folds the write-ahead log into the database', async () => {
  const home = await lab.newHome();
  const process = await lab.start(home, 'fills');
  await lab.call(process, 0);
  await lab.end(process, 'SIGTERM');
  expect(await readdir(join(home, 'data'))).not.toContain('bigpipe.db-wal');
});
