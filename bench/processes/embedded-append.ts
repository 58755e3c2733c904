// The program's own log without its doors: callers that append to the embedded broker and wait for the disk.
import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';
import { dataBytes } from '../support/call-body.ts';
import { Latencies, nowMs } from '../support/latency.ts';
import type { AppendCommands, Appended } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const topic = 'bench';
const partitions = 8;
const dayMs = 86_400_000;
/** Past what one run writes: retention takes nothing away. */
const retentionBytes = 64 * 2 ** 30;
const body = Buffer.alloc(dataBytes, 'x');

let broker: EmbeddedBroker | null = null;
let callers = 0;
let sequence = 0;

async function open(request: AppendCommands['open']['request']): Promise<null> {
  const options = { directory: request.directory, fsync: true, maxBytes: 0 };
  broker = new EmbeddedBroker(new SqliteStore(options), {
    fsync: true,
    retentionMs: dayMs,
    retentionBytes,
    retentionHardMs: 0,
    offsetsRetentionMs: dayMs,
    tailBytes: 32 * 2 ** 20,
    clock: new SystemClock(),
    report: (text, error) => console.error('embedded append:', text, error),
  });
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions, retention: 'standard' });
  assert.equal(broker.durability(-1), 'disk');
  callers = request.callers;
  return null;
}

async function run({ durationMs }: { durationMs: number }): Promise<Appended> {
  const latencies = new Latencies();
  const startedMs = nowMs();
  let appended = 0;
  let endedMs = startedMs;
  const caller = async () => {
    for (let atMs = nowMs(); atMs - startedMs < durationMs; atMs = endedMs) {
      sequence += 1;
      const key = Buffer.from(`user-${sequence % 10_000}`);
      await broker?.append([{ topic, key, body, headers: { 'bigpipe-message-id': `msg_${sequence}` } }], -1);
      endedMs = nowMs();
      latencies.record((endedMs - atMs) * 1000);
      appended += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { appended, elapsedMs: endedMs - startedMs, latency: latencies.summary() };
}

async function close(): Promise<null> {
  await broker?.close();
  return null;
}

serveCommands<AppendCommands>({ open, run, close });
