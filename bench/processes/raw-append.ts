// The limit of storing: the callers' bytes in one write and one fdatasync, again and again.
import { closeSync, fdatasyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { dataBytes } from '../support/call-body.ts';
import { Latencies, nowMs } from '../support/latency.ts';
import { ownCpuSeconds } from '../support/proc.ts';
import type { AppendCommands, Appended } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

let file = -1;
let batch = Buffer.alloc(0);

function open({ directory, callers }: AppendCommands['open']['request']): null {
  file = openSync(join(directory, 'raw-append'), 'w');
  batch = Buffer.alloc(callers * dataBytes, 'x');
  return null;
}

function run({ durationMs }: { durationMs: number }): Appended {
  // Each window appends to an empty file, so that the disk does not fill.
  ftruncateSync(file, 0);
  const latencies = new Latencies();
  const cpuBefore = ownCpuSeconds();
  const startedMs = nowMs();
  let batches = 0;
  let at = 0;
  let atMs = startedMs;
  while (atMs - startedMs < durationMs) {
    writeSync(file, batch, 0, batch.length, at);
    fdatasyncSync(file);
    at += batch.length;
    batches += 1;
    const endedMs = nowMs();
    latencies.record((endedMs - atMs) * 1000);
    atMs = endedMs;
  }
  const appended = (batches * batch.length) / dataBytes;
  const cpuSeconds = ownCpuSeconds() - cpuBefore;
  return { appended, elapsedMs: atMs - startedMs, cpuSeconds, latency: latencies.summary() };
}

function close(): null {
  closeSync(file);
  return null;
}

serveCommands<AppendCommands>({ open, run, close });
