// start.sh becomes the program itself, with bounds for its memory: signals reach it, and what follows is the program's own command line.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { baseConfig } from '../support/bigpipe-process.js';
import { MainProcess } from '../support/main-process.js';

const noPretenuring = '--no-allocation-site-pretenuring';
const countedOutside = '--external-memory-accounted-in-global-limit';

let home: string;
let started: MainProcess[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'bigpipe-start-'));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((main) => main.end('SIGKILL')));
  await rm(home, { recursive: true, force: true });
});

function start(...args: string[]): MainProcess {
  const main = new MainProcess({ cwd: home, args, byScript: true });
  started.push(main);
  return main;
}

test.each([
  [[], ['--max-semi-space-size=32', countedOutside, '--heap-growing-percent=100', noPretenuring]],
  [['--small'], ['--max-semi-space-size=8', '--heap-growing-percent=40', noPretenuring]],
])('with %j it has %j, and drains on SIGTERM', async (args, bounds) => {
  const file = join(home, 'bigpipe.json');
  await writeFile(file, JSON.stringify(baseConfig({ 'broker.embedded.directory': join(home, 'data') })));
  const main = start(...args, '--config', file);
  expect((await main.running).file).toBe(file);
  if (process.platform === 'linux') {
    const words = (await readFile(`/proc/${main.pid}/cmdline`, 'utf8')).split('\0');
    expect(words).toEqual(expect.arrayContaining(bounds));
  }
  const { code, stdout } = await main.end('SIGTERM');
  expect(code).toBe(0);
  expect(stdout.at(-1)).toContain('bigpipe has drained');
});

test('what it does not know it hands on, and the program refuses it', async () => {
  const { code, stderr } = await start('--smal').ended;
  expect(code).toBe(64);
  expect(stderr.join('\n')).toContain('--smal');
});

test('on a Node that knows nothing of one of its bounds it goes without', async () => {
  // As Node 22 does.
  const older = `#!/bin/sh
for word; do if [ "$word" = ${countedOutside} ]; then echo "node: bad option: $word" >&2; exit 9; fi; done
exec ${process.execPath} "$@"
`;
  const path = join(home, 'older');
  await mkdir(path);
  await writeFile(join(path, 'node'), older, { mode: 0o755 });
  const file = join(home, 'bigpipe.json');
  await writeFile(file, JSON.stringify(baseConfig({ 'broker.embedded.directory': join(home, 'data') })));
  const PATH = `${path}${delimiter}${process.env['PATH'] ?? ''}`;
  const main = new MainProcess({ cwd: home, args: ['--config', file], env: { PATH }, byScript: true });
  started.push(main);
  expect((await main.running).file).toBe(file);
  expect((await main.end('SIGTERM')).code).toBe(0);
});
