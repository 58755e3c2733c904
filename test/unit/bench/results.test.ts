// Results of the bench as files: read again, or refused with the file's name.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { baselineFile, drawCurves, inPlaceOf, readResult } from '../../../bench/support/results.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'bigpipe-results-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('the kept baseline is a result with ratios', async () => {
  const { scenarios, quick } = await readResult(baselineFile);
  expect(quick).toBe(true);
  const without = scenarios.filter(({ figures }) => !figures.some(({ compared }) => compared?.how === 'ratio'));
  expect(without).toEqual([]);
});

test.each([
  ['no JSON', '{', /results-.*: .*JSON/],
  ['another JSON', '{"scenarios":[{"name":"x","figures":[{"name":1}]}]}', /no result of the bench/],
  ['null', 'null', /no result of the bench/],
])('%s is refused by name', async (_, text, why) => {
  const file = join(directory, 'wrong.json');
  await writeFile(file, text);
  await expect(readResult(file)).rejects.toThrow(why);
  await expect(readResult(join(directory, 'absent.json'))).rejects.toThrow(/absent\.json: ENOENT/);
});

test('only a result with curves is drawn', async () => {
  const report = { date: 'd', node: '24', processors: 2, quick: true, seconds: 1, skipped: [] };
  const figure = { name: 'f', unit: 'x', value: 1, compared: { how: 'ratio', value: 1, of: [1] } } as const;
  const place = { axis: 'keys', line: 'CPU', x: 1 };
  const withCurve = {
    ...report,
    scenarios: [{ name: 's', seconds: 1, foreignPercent: 3, figures: [{ ...figure, at: place }] }],
  };
  await drawCurves({ ...report, scenarios: [] }, join(directory, 'none.svg'));
  await drawCurves(withCurve, join(directory, 'some.svg'));
  expect((await readdir(directory)).filter((name) => name.endsWith('.svg'))).toEqual(['some.svg']);
  expect(await readFile(join(directory, 'some.svg'), 'utf8')).toContain('others took 3 %, quick');
});

test('parts of a scenario become one result, in which what was measured again stands once', () => {
  const report = { date: 'd', node: '24', processors: 2, quick: false, skipped: [] };
  const figure = (name: string, value: number) => ({ name, unit: 'x', value });
  const part = (seconds: number, foreignPercent: number, ...figures: ReturnType<typeof figure>[]) => ({
    ...report,
    seconds,
    scenarios: [{ name: 'growth', seconds, foreignPercent, figures }],
  });
  const all = inPlaceOf(part(5, 9, figure('a', 1), figure('b', 2)), part(3, 4, figure('b', 3), figure('c', 4)));
  expect(all).toEqual(part(8, 9, figure('a', 1), figure('b', 3), figure('c', 4)));
});
