// A full disk: callers are told so and when to come back; nothing accepted is lost.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { BigpipeProcess, baseConfig, type Config } from '../support/bigpipe-process.js';
import { Ledger, type Refused } from '../support/ledger.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

const full = { status: 200, errno: 1, error: 'storage-full', retryAfter: '1' };

let target: TargetServer;
let ledger: Ledger;
let bigpipe: BigpipeProcess | undefined;
let calls = 0;

beforeEach(async () => {
  target = await TargetServer.start();
  ledger = new Ledger();
});

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  bigpipe = undefined;
  await target.close();
});

async function start(changes: Config): Promise<BigpipeProcess> {
  bigpipe = await BigpipeProcess.start({ config: baseConfig(changes) });
  return bigpipe;
}

/** One call of about 16 KiB; true when it was accepted. */
async function callOne(process: BigpipeProcess, url = target.url()): Promise<boolean> {
  calls += 1;
  const id = `call-${String(calls).padStart(5, '0')}`;
  return ledger.call(process, id, { url, data: id.padEnd(16_000, '.') });
}

async function callUntilFull(process: BigpipeProcess, url?: string): Promise<void> {
  for (let accepted = true; accepted; ) accepted = await callOne(process, url);
}

const refusals = (): Refused[] => [...ledger.refused.values()];

/** A file system of its own; null and the reason when there can be none. */
function mountSmall(): { at: string; reason: string | null } {
  const at = mkdtempSync(join(tmpdir(), 'bigpipe-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'bigpipe-test', at], { stdio: 'pipe' });
    return { at, reason: null };
  } catch (error) {
    rmSync(at, { recursive: true });
    return { at, reason: String(error) };
  }
}

/** Runs the steps in a file system of its own, or skips the test aloud. */
async function onSmallDisk(context: TestContext, steps: (at: string) => Promise<void>): Promise<void> {
  const { at, reason } = mountSmall();
  if (reason !== null) {
    process.stderr.write(`'${context.task.name}' is skipped: ${reason}\n`);
    context.skip(reason);
  }
  try {
    await steps(at);
  } finally {
    await bigpipe?.dispose();
    execFileSync('umount', [at]);
    rmSync(at, { recursive: true });
  }
}

test('on a full disk calls are refused, and taken again by the same process once it has grown', async (context) => {
  await onSmallDisk(context, async (at) => {
    const running = await start({ 'broker.embedded.directory': join(at, 'data') });
    await callUntilFull(running);
    await callOne(running);
    expect(refusals()).toEqual([full, full]);
    expect(ledger.accepted.size).toBeGreaterThan(20);
    await until('what was accepted arrives, though nothing can be committed', () => ledger.allArrived(target));
    execFileSync('mount', ['-o', 'remount,size=64m', at]);
    await until('a call is taken again', () => callOne(running));
    for (let i = 0; i < 20; i += 1) expect(await callOne(running)).toBe(true);
    await until('everything accepted arrives', () => ledger.allArrived(target));
    expect(ledger.faults(target, 1)).toEqual([]);
    ledger.hangUp();
    expect(await running.end('SIGTERM')).toBe(0);
  });
});

test('on a full disk retention makes room by itself', async (context) => {
  await onSmallDisk(context, async (at) => {
    const running = await start({
      'broker.embedded.directory': join(at, 'data'),
      'broker.embedded.retention.ms': 1000,
    });
    await callUntilFull(running);
    await until('everything accepted arrives', () => ledger.allArrived(target));
    expect(await until('a call is taken again', () => callOne(running), 15_000)).toBe(true);
  });
});

test('a start on a full disk says so', async (context) => {
  await onSmallDisk(context, async (at) => {
    execFileSync('sh', ['-c', `cat /dev/zero > '${join(at, 'filler')}' 2>/dev/null || true`]);
    bigpipe = await BigpipeProcess.spawn({ config: baseConfig({ 'broker.embedded.directory': join(at, 'data') }) });
    expect(await bigpipe.exited).toBe(1);
    const said = bigpipe.stderr.join('\n');
    expect(said).toMatch(/full|ENOSPC|no space/i);
    expect(said).not.toMatch(/^\s+at /m);
  });
});
