// When a change of the files is told: once it stands still, in the end always, and never without one.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sourceFiles } from '#src/config-watch/config-files.js';
import { FileWatch } from '#src/config-watch/file-watch.js';
import { ConfigHome } from '../../support/config-home.js';
import { until } from '../../support/until.js';

const settleMs = 100;
const pollMs = 5000;

let home: ConfigHome;
let watch: FileWatch | undefined;
let told: number;
let reports: string[];

beforeEach(() => {
  home = new ConfigHome();
  told = 0;
  reports = [];
});
afterEach(() => {
  watch?.close();
  home.dispose();
});

function started(path: string): void {
  const changed = () => {
    told += 1;
  };
  watch = new FileWatch({ path, files: () => sourceFiles(path) }, home.clock, changed, (text) => reports.push(text));
  watch.start();
}

/** As long as nothing changes meanwhile, two looks. */
const settle = () => home.clock.advance(2 * settleMs);
const reported = () => until('the system reports something', () => home.clock.pendingOf(settleMs) === 1);

describe('a change', () => {
  const cases: [string, (file: string) => void][] = [
    ['by writing', (file) => writeFileSync(file, 'two, longer')],
    [
      'by renaming',
      (file) => {
        writeFileSync(`${file}.tmp`, 'new');
        renameSync(`${file}.tmp`, file);
      },
    ],
    ['by removing', (file) => rmSync(file)],
  ];
  test.each(cases)('%s is told once it stands still', async (_what, change) => {
    const file = home.write('one');
    started(file);
    change(file);
    await reported();
    expect(told).toBe(0);
    settle();
    expect(told).toBe(1);
    home.clock.advance(10 * pollMs);
    expect(told).toBe(1);
  });

  test('behind a link elsewhere is told', async () => {
    const [one, two] = ['one', 'two'].map((name) => join(home.directory, name)) as [string, string];
    mkdirSync(one);
    mkdirSync(two);
    writeFileSync(join(two, 'real'), 'a');
    symlinkSync(join(two, 'real'), join(one, 'link'));
    started(join(one, 'link'));
    writeFileSync(join(two, 'real'), 'ab');
    await reported();
    settle();
    expect(told).toBe(1);
  });

  test('that goes on is not told before it ends', () => {
    const file = home.write('');
    started(file);
    let text = '';
    home.clock.advance(pollMs);
    for (let step = 0; step < 20; step += 1) {
      text += 'x';
      writeFileSync(file, text);
      home.clock.advance(settleMs);
    }
    expect(told).toBe(0);
    settle();
    expect(told).toBe(1);
  });

  test('that never ends is told all the same', () => {
    const file = home.write('');
    started(file);
    let text = '';
    home.clock.advance(pollMs);
    for (let step = 0; step < 60; step += 1) {
      text += 'x';
      writeFileSync(file, text);
      home.clock.advance(settleMs);
    }
    expect(told).toBe(1);
  });

  test('that the system does not report is found by looking', () => {
    const file = home.write('one');
    const elsewhere = join(home.directory, 'elsewhere');
    mkdirSync(elsewhere);
    const referred = join(elsewhere, 'token');
    watch = new FileWatch(
      { path: file, files: () => [file, referred] },
      home.clock,
      () => {
        told += 1;
      },
      () => undefined,
    );
    watch.start();
    writeFileSync(referred, 'there now');
    home.clock.advance(pollMs + 2 * settleMs);
    expect(told).toBe(1);
  });

  test('before the start is told, after the end is not', async () => {
    const file = home.write('one');
    const made = new FileWatch(
      { path: file, files: () => [file] },
      home.clock,
      () => {
        told += 1;
      },
      () => undefined,
    );
    writeFileSync(file, 'changed between the two');
    made.start();
    settle();
    expect(told).toBe(1);
    made.close();
    made.close();
    writeFileSync(file, 'changed after the end');
    home.clock.advance(10 * pollMs);
    expect(told).toBe(1);
    expect(home.clock.pending).toBe(0);
  });
});

test('what cannot be watched is reported and looked at', () => {
  const folder = join(home.directory, 'later');
  const file = join(folder, 'bigpipe.json');
  started(file);
  expect(reports).toEqual([expect.stringContaining(folder)]);
  mkdirSync(folder);
  writeFileSync(file, '{}');
  home.clock.advance(pollMs + 2 * settleMs);
  expect(told).toBe(1);
});

test('other files of the directory are no change', async () => {
  started(home.write('one'));
  home.write('noise', 'other');
  await reported();
  settle();
  expect(told).toBe(0);
});
