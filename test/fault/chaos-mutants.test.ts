// Programs that break a promise on purpose: the books of the chaos runs catch each, so that a clean run says something.
import { expect, test } from 'vitest';
import { type Mutant, mutants } from '../support/chaos/mutants.ts';
import { mutated, occurrences } from '../support/chaos/mutate.ts';
import { brokenPromises } from '../support/chaos/report.ts';
import { shortRun } from '../support/chaos/short-run.ts';

/** MUTANTS=all takes them all, a few minutes, and runs each one's misfortunes over the right program too; or some by name. */
const wanted = process.env['MUTANTS'] ?? 'a commit before the delivery,a reordered lane';
const isAll = wanted === 'all';
const chosen = isAll ? mutants : mutants.filter(({ name }) => wanted.split(',').includes(name));
/** What comes is random: a run may miss what the next one meets. */
const runs = 3;

/** What the books said of the first run that showed it, or of the last one. */
async function caught({ run, shows }: Mutant, program: string): Promise<string[]> {
  let broken: string[] = [];
  for (let i = 0; i < runs && !broken.some((line) => shows.test(line)); i += 1) {
    broken = brokenPromises(await shortRun({ ...run, program }));
  }
  return broken;
}

test('every mutant is one change of the program as it is built now', async () => {
  const counts = await Promise.all(mutants.map(async (mutant) => [mutant.name, await occurrences(mutant)] as const));
  expect(counts.filter(([, count]) => count !== 1)).toEqual([]);
});

test.each(chosen)(
  '$name is caught',
  async (mutant) => {
    const { program, remove } = await mutated(mutant);
    try {
      const broken = await caught(mutant, program);
      expect(broken).toContainEqual(expect.stringMatching(mutant.shows));
      console.log(`CAUGHT ${mutant.name}: ${broken[0]}`);
    } finally {
      await remove();
    }
  },
  900_000,
);

test.each(isAll ? [...new Set(mutants.map(({ run }) => run))] : [])(
  'the program as it is keeps its promises',
  async (run) => {
    expect(brokenPromises(await shortRun({ ...run, patienceMs: 40_000 }))).toEqual([]);
  },
  900_000,
);
