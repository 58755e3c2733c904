// A disk that fails to sync: from then on nothing is acknowledged, and everybody who asks is told.
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { settleAll } from '../support/log-lab.js';
import { Preload } from '../support/preload.js';
import { databaseOf } from '../support/stored-log.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** Stands before the C library's two calls: they fail while the file that FAIL_SYNC names is there; FAIL_SYNC_OF: only for files whose names end so. */
const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int broken(int fd) {
  const char *file = getenv("FAIL_SYNC"), *of = getenv("FAIL_SYNC_OF");
  char link[64], name[4096];
  ssize_t length;
  if (file == NULL || access(file, F_OK) != 0) return 0;
  if (of == NULL) return 1;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, name, sizeof name);
  return length >= (ssize_t) strlen(of) && memcmp(name + length - strlen(of), of, strlen(of)) == 0;
}
#define STANDS_BEFORE(name) \\
  int name(int fd) { \\
    static int (*next)(int); \\
    if (broken(fd)) { errno = EIO; return -1; } \\
    if (next == NULL) next = (int (*)(int)) dlsym(RTLD_NEXT, #name); \\
    return next(fd); \\
  }
STANDS_BEFORE(fsync)
STANDS_BEFORE(fdatasync)
`;

let preload: Preload | null = null;

/** Why the shim cannot be had; null when it is there. */
function whyNoShim(): string | null {
  try {
    preload = new Preload(source);
    return null;
  } catch (error) {
    return String(error);
  }
}

const reason = whyNoShim();
if (reason !== null) process.stderr.write(`failed-sync.test.ts is skipped: ${reason}\n`);

let target: TargetServer;
let bigpipe: BigpipeProcess;
let ledger: Ledger;
let trigger: string;

beforeEach(async (context) => {
  if (reason !== null) context.skip(reason);
  target = await TargetServer.start();
  ledger = new Ledger();
  trigger = join(preload?.directory ?? '', `trigger-${Math.random()}`);
});

afterEach(async () => {
  if (reason !== null) return;
  ledger.hangUp();
  await bigpipe.dispose();
  await rm(trigger, { force: true });
  await target.close();
});

afterAll(() => preload?.remove());

const startWithShim = (changes: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  BigpipeProcess.start({
    config: baseConfig(changes),
    env: { LD_PRELOAD: preload?.library ?? '', FAIL_SYNC: trigger, ...env },
  });

const statusOf = async (url: string) => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};

const stopped = { status: 200, errno: 1, error: 'storage-stopped', retryAfter: undefined };

test('after a failed sync nothing is acknowledged any more, and health says why', async () => {
  bigpipe = await startWithShim();
  for (let i = 0; i < 20; i += 1) await ledger.call(bigpipe, `before${i}`, { url: target.url() });
  expect(ledger.accepted.size).toBe(20);
  expect((await statusOf(`${bigpipe.origin}/readyz`)).status).toBe(200);
  // So that the calls below, and no commit before them, meet the failing disk.
  await settleAll(bigpipe);

  await writeFile(trigger, '');
  await Promise.all(Array.from({ length: 20 }, (_, i) => ledger.call(bigpipe, `during${i}`, { url: target.url() })));
  expect([...ledger.accepted].filter((id) => id.startsWith('during'))).toEqual([]);
  // The disk seems well again, but nobody knows what it holds.
  await rm(trigger);
  await ledger.call(bigpipe, 'later', { url: target.url() });
  expect([...ledger.refused.values()]).toEqual(Array.from({ length: 21 }, () => stopped));

  expect((await statusOf(`${bigpipe.origin}/readyz`)).status).toBe(503);
  expect((await statusOf(`${bigpipe.origin}/livez`)).status).toBe(200);
  const health = await statusOf(`${bigpipe.management}/health`);
  expect(health.status).toBe(503);
  expect(health.text).toContain('FSYNC');
  expect(bigpipe.log.some(({ msg }) => String(msg).includes('the log has stopped'))).toBe(true);

  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  bigpipe = await BigpipeProcess.start({ directory: bigpipe.directory });
  await until('what was answered arrives', () => ledger.allArrived(target));
  await ledger.call(bigpipe, 'again', { url: target.url() });
  await until('a new call arrives', () => target.countById().has('again'));
});

test('while the store is stopped, what was accepted before is still delivered', async () => {
  target.script = () => undefined;
  bigpipe = await startWithShim();
  const held: (() => void)[] = [];
  target.script = (_arrival, response) => void held.push(() => response.end());
  await Promise.all(Array.from({ length: 30 }, (_, i) => ledger.call(bigpipe, `a${i}`, { url: target.url() })));
  await until('all are under way', () => held.length === 30);
  await writeFile(trigger, '');
  await ledger.call(bigpipe, 'refused', { url: target.url() });
  expect(ledger.refused.get('refused')).toEqual(stopped);
  for (const answer of held) answer();
  const delivered = async () => (await bigpipe.stats())?.clientStats['test']?.['rpcSuccess'];
  await until('all are delivered', async () => (await delivered()) === 30);
  expect(ledger.faults(target, 1)).toEqual([]);
});

test('a stopped store does not fill the log with the same line', async () => {
  target.script = () => undefined;
  bigpipe = await startWithShim();
  const held: (() => void)[] = [];
  target.script = (_arrival, response) => void held.push(() => response.end());
  await ledger.call(bigpipe, 'a', { url: target.url() });
  await until('it is under way', () => held.length === 1);
  await writeFile(trigger, '');
  await ledger.call(bigpipe, 'refused', { url: target.url() });
  for (const answer of held) answer();
  const lines = () => bigpipe.log.filter(({ msg }) => String(msg).startsWith('commit failed')).length;
  const flooded = until('there are a hundred lines', () => lines() >= 100, 6000).then(
    () => true,
    () => false,
  );
  expect(await flooded).toBe(false);
});

test('a sync that fails while retention cleans up stops the store too', async () => {
  bigpipe = await startWithShim({ 'broker.embedded.retention.ms': 1000 });
  for (let i = 0; i < 20; i += 1) await ledger.call(bigpipe, `r${i}`, { url: target.url() });
  await settleAll(bigpipe);
  await writeFile(trigger, '');
  const failed = () => bigpipe.log.some(({ msg }) => String(msg).startsWith('retention failed'));
  await until('retention has failed or the log has stopped', () => {
    return failed() || bigpipe.log.some(({ msg }) => String(msg).includes('the log has stopped'));
  });
  await rm(trigger);
  await ledger.call(bigpipe, 'later', { url: target.url() });
  expect(ledger.refused.get('later')).toEqual(stopped);
});

test('a sync of the database that fails while the log is folded stops the store, and nothing is lost by it', async () => {
  const large = 'x'.repeat(100_000);
  bigpipe = await startWithShim({ 'kafka.consumer.list': [] }, { FAIL_SYNC_OF: '/bigpipe.db' });
  await writeFile(trigger, '');
  // The write-ahead log itself can be synced: all of these are durable.
  const wal = `${databaseOf(bigpipe.directory)}-wal`;
  for (let i = 0; ledger.refused.size === 0 && i < 400; i += 1) {
    await ledger.call(bigpipe, `a${i}`, { url: target.url(), data: `a${i} ${large}` });
  }
  expect([...ledger.refused.values()]).toEqual([stopped]);
  expect(ledger.accepted.size).toBeGreaterThan(30);
  expect((await statusOf(`${bigpipe.origin}/readyz`)).status).toBe(503);
  const before = await stat(wal);
  expect(before.size).toBeGreaterThan(ledger.accepted.size * large.length);
  // The disk seems well again: what it lost of the database it may not say twice.
  await rm(trigger);
  ledger.hangUp();
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect((await stat(wal)).size).toBe(before.size);
  const { directory } = bigpipe;
  const config = { ...baseConfig(), 'broker.embedded.directory': `${directory}/data` };
  bigpipe = await BigpipeProcess.start({ directory, config });
  await until('what was answered arrives', () => ledger.allArrived(target));
});
