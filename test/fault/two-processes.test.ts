// One data directory, two processes: the second is told who is in its way, and may have it once the first is dead.
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

let target: TargetServer;
let first: BigpipeProcess;

beforeEach(async () => {
  target = await TargetServer.start();
  first = await BigpipeProcess.start();
});

afterEach(async () => {
  await first.dispose();
  await target.close();
});

test('the second process is refused by name and pid, and the first goes on', async () => {
  const ledger = new Ledger();
  for (let i = 0; i < 3; i += 1) {
    const second = await BigpipeProcess.spawn({ directory: first.directory });
    expect(await second.exited).toBe(1);
    const said = second.stderr.join('\n');
    expect(said).toContain(join(first.directory, 'data'));
    expect(said).toContain(`pid ${first.child.pid}`);
    expect(said).not.toMatch(/^ +at /m);
    await ledger.call(first, `c${i}`, { url: target.url() });
  }
  await until('its calls arrive', () => ledger.allArrived(target));
  expect(ledger.accepted.size).toBe(3);
  expect(ledger.faults(target, 1)).toEqual([]);
});

test('a stopped process is still the owner', async () => {
  first.child.kill('SIGSTOP');
  const second = await BigpipeProcess.spawn({ directory: first.directory });
  expect(await second.exited).toBe(1);
  expect(second.stderr.join('\n')).toContain(`pid ${first.child.pid}`);
});

test('after kill -9 the directory is free at once', async () => {
  const ledger = new Ledger();
  await Promise.all(Array.from({ length: 50 }, (_, i) => ledger.call(first, `c${i}`, { url: target.url() })));
  expect(await first.end('SIGKILL')).toBe('SIGKILL');
  // The dead one's pid file is still there.
  expect(existsSync(join(first.directory, 'data', 'bigpipe.lock.pid'))).toBe(true);
  first = await BigpipeProcess.start({ directory: first.directory });
  await ledger.call(first, 'after', { url: target.url() });
  await until('all arrive', () => ledger.allArrived(target));
  expect(ledger.faults(target, 2)).toEqual([]);
});

test('of many that start at the same moment exactly one runs', async () => {
  await first.end('SIGTERM');
  const { directory } = first;
  const starts = await Promise.allSettled(Array.from({ length: 4 }, () => BigpipeProcess.start({ directory })));
  const running = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const refused = starts.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : []));
  for (const process of running) await process.end('SIGKILL');
  expect(running).toHaveLength(1);
  for (const reason of refused) expect(reason).toContain('in use by another process');
});

test('a copy of a running directory is another directory', async () => {
  const home = await mkdtemp(join(tmpdir(), 'bigpipe-'));
  await cp(join(first.directory, 'data'), join(home, 'data'), { recursive: true });
  const config = { 'broker.embedded.directory': join(home, 'data') };
  const second = await BigpipeProcess.start({ directory: home, config: { ...baseConfig(), ...config } });
  expect(await second.end('SIGTERM')).toBe(0);
  await rm(home, { recursive: true });
});
