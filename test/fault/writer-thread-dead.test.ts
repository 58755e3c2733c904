// The thread that writes the log dies under a running process: it says that it has to be restarted, and a restart heals it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess } from '../support/bigpipe-process.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** Loaded before the program: on SIGUSR2 its writer thread ends, as if it had crashed. */
const ender = `
import { createRequire, syncBuiltinESMExports } from 'node:module';
const threads = createRequire(import.meta.url)('node:worker_threads');
const { Worker } = threads;
threads.Worker = class extends Worker {
  constructor(file, options) {
    super(file, options);
    if (String(file).includes('sqlite.worker')) process.once('SIGUSR2', () => this.terminate());
  }
};
syncBuiltinESMExports();
`;

let home: string;
let target: TargetServer;
let bigpipe: BigpipeProcess;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'bigpipe-ender-'));
  await writeFile(join(home, 'ender.mjs'), ender);
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ nodeArgs: ['--import', join(home, 'ender.mjs')] });
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
  await rm(home, { recursive: true, force: true });
});

const statusOf = async (path: string) => (await fetch(`${bigpipe.origin}${path}`)).status;

test('it is neither alive nor ready, and refuses what it cannot store', async () => {
  await bigpipe.call({ url: target.url('/before') });
  expect(await statusOf('/livez')).toBe(200);
  bigpipe.child.kill('SIGUSR2');
  await until('it is not alive', async () => (await statusOf('/livez')) === 503);
  expect(await statusOf('/readyz')).toBe(503);
  expect(await (await fetch(`${bigpipe.management}/health`)).text()).toContain('the writer thread has ended');
  expect((await bigpipe.call({ url: target.url('/refused') })).body.errno).not.toBe(0);
});

test('the next process takes calls again, and has what was answered', async () => {
  await bigpipe.end('SIGKILL');
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await bigpipe.call({ url: target.url('/after') });
  await until('both arrive', () =>
    ['/before', '/after'].every((path) => target.arrivals.some((one) => one.path === path)),
  );
  expect(target.arrivals.some(({ path }) => path === '/refused')).toBe(false);
});
