// What a probe's notes say: of which thread, of which span, and whose pauses they were.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { delaysWithin, type LoopNotes, ownPauses, readNotes } from '../../../bench/support/loop-notes.ts';

const second = (thread: number, at: number, delays: readonly number[]): LoopNotes => {
  const late = delays.filter((tenths) => tenths >= 200).map((tenths) => tenths / 10);
  const pauses = late.map((ms) => ({ atUs: at, fromMs: 0, toMs: ms, ms, cpuMs: ms / 2, gcMs: 0 }));
  return { thread, fromUs: at, toUs: at + 1_000_000, delays, pauses };
};
const notes = [second(0, 0, [9000]), second(0, 1_000_000, [1, 2, 600]), second(3, 1_000_000, [4000])];

test('only whole seconds within the span count, and the threads are told apart', () => {
  const span = { fromUs: 500_000, toUs: 2_500_000 };
  expect(delaysWithin(notes, 'main', span)).toMatchObject({ p50Ms: 0.2, maxMs: 60 });
  expect(delaysWithin(notes, 'others', span)).toMatchObject({ maxMs: 400 });
  expect(delaysWithin(notes, 'main', { fromUs: 9e9, toUs: 9e9 })).toMatchObject({ maxMs: 0, pauses: [] });
});

test('a pause is ours only as far as our thread computed', () => {
  const { pauses } = delaysWithin(notes, 'main', { fromUs: 0, toUs: 3_000_000 });
  expect(pauses.map(({ ms }) => ms)).toEqual([900, 60]);
  expect(ownPauses(pauses, 50).map(({ ms }) => ms)).toEqual([900]);
});

test('a half written last line is not read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'bigpipe-notes-'));
  const file = join(directory, 'notes');
  await writeFile(file, `${JSON.stringify(notes[0])}\n{"thread":0,"fro`);
  expect(readNotes(file)).toEqual([notes[0]]);
  await rm(directory, { recursive: true });
});
