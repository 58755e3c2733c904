// The write-ahead log after kill -9, cut or torn anywhere: it opens, and gives what was whole before.
import { stat, truncate } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { brokerStats, checkLog, flip, idsBut, LogLab, logged, overwrite, settleAll } from '../support/log-lab.js';
import { databaseOf } from '../support/stored-log.js';

const pageBytes = 8192;

let lab: LogLab;

beforeEach(async () => {
  lab = await LogLab.open();
});

afterEach(async () => {
  await lab.close();
});

/** Copies of a killed process's directory, each with its write-ahead log cut to a length. */
async function deliveredAfter(home: string, change: (wal: string) => Promise<void>): Promise<string[]> {
  const copy = await lab.newHome(home);
  await change(`${databaseOf(copy)}-wal`);
  lab.target.arrivals.length = 0;
  const process = await lab.start(copy, 'delivers');
  await settleAll(process);
  await lab.end(process, 'SIGTERM');
  return lab.arrivedIds();
}

/** One call after another; how long the write-ahead log was after each answer. */
async function killedLog(count: number): Promise<{ home: string; lengths: number[]; wal: string }> {
  const home = await lab.newHome();
  const process = await lab.start(home, 'fills');
  const wal = `${databaseOf(home)}-wal`;
  const lengths: number[] = [];
  for (let i = 0; i < count; i += 1) {
    await lab.call(process, i, i % 4 === 3 ? 20_000 : 100);
    lengths.push((await stat(wal)).size);
  }
  await lab.end(process, 'SIGKILL');
  return { home, lengths, wal };
}

test('a write-ahead log cut anywhere gives what was whole before the cut, and nothing else', async () => {
  const { home, lengths } = await killedLog(10);
  const last = lengths.at(-1) as number;
  const cuts = new Set<number>([last, last - pageBytes]);
  for (const cut of [0, 5000]) cuts.add(cut);
  for (const length of [lengths[3], lengths[6]] as number[]) {
    for (const cut of [length - 1, length, length + 24]) cuts.add(cut);
  }
  for (const cut of cuts) {
    const whole = lengths.filter((length) => length <= cut).length;
    const delivered = await deliveredAfter(home, (wal) => truncate(wal, cut));
    expect({ cut, delivered }).toEqual({ cut, delivered: idsBut(whole) });
  }
});

test('a write-ahead log torn to zeros or garbage at its end gives what was whole before', async () => {
  const { home, lengths } = await killedLog(6);
  const from = lengths[3] as number;
  const rest = (lengths[5] as number) - from;
  const fills = [() => Buffer.alloc(rest), () => Buffer.alloc(rest, 0xa5)];
  for (const fill of fills) {
    const delivered = await deliveredAfter(home, (wal) => overwrite(wal, from, rest, fill));
    expect(delivered).toEqual(idsBut(4));
  }
});

// SQLite ends its recovery at the first frame whose checksum is wrong, as if the rest had never been written.
test('a byte flipped in the middle of the write-ahead log is told, not passed over in silence', async () => {
  const { home, lengths, wal } = await killedLog(6);
  await flip(wal, (lengths[2] as number) + 24 + 4000);
  const process = await lab.start(home, 'delivers');
  await settleAll(process);
  const { ok } = await checkLog(process);
  const isTold = !ok || logged(process, 'damage').length > 0 || (await brokerStats(process))['damagedRanges'] !== 0;
  await lab.end(process, 'SIGTERM');
  expect(isTold || lab.arrivedIds().length === 6).toBe(true);
});
