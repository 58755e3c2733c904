// A copy of the built program with one text of it replaced.
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutants.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** How often the mutant's text stands in its file. */
export async function occurrences({ file, text }: Mutant): Promise<number> {
  return (await readFile(join(root, 'dist', file), 'utf8')).split(text).length - 1;
}

/** Where everything but the built code is the repository's own. */
export async function mutated(mutant: Mutant): Promise<{ program: string; remove: () => Promise<void> }> {
  const count = await occurrences(mutant);
  if (count !== 1) throw new Error(`${mutant.name}: its text stands ${count} times in dist/${mutant.file}`);
  const home = await mkdtemp(join(tmpdir(), 'bigpipe-mutant-'));
  for (const name of ['node_modules', 'package.json', 'proto', 'config']) {
    await symlink(join(root, name), join(home, name));
  }
  await cp(join(root, 'dist'), join(home, 'dist'), { recursive: true });
  const file = join(home, 'dist', mutant.file);
  const built = await readFile(file, 'utf8');
  await writeFile(
    file,
    built.replace(mutant.text, () => mutant.becomes),
  );
  return { program: join(home, 'dist/main.js'), remove: () => rm(home, { recursive: true, force: true }) };
}
