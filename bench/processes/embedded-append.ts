// The program's own log without its doors: callers that append to the embedded broker and wait for the disk.
import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';
import { AppendCallers } from '../support/append-callers.ts';
import { dataBytes } from '../support/call-body.ts';
import type { AppendCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const topic = 'bench';
const partitions = 8;
const dayMs = 86_400_000;
/** Past what one run writes: retention takes nothing away. */
const retentionBytes = 64 * 2 ** 30;
const body = Buffer.alloc(dataBytes, 'x');

let broker: EmbeddedBroker | null = null;
let run: AppendCallers | null = null;

async function open(request: AppendCommands['open']['request']): Promise<null> {
  const options = { directory: request.directory, fsync: true, maxBytes: 0 };
  const opened = new EmbeddedBroker(new SqliteStore(options), {
    fsync: true,
    retentionMs: dayMs,
    retentionBytes,
    retentionHardMs: 0,
    offsetsRetentionMs: dayMs,
    tailBytes: 32 * 2 ** 20,
    clock: new SystemClock(),
    report: (text, error) => console.error('embedded append:', text, error),
  });
  await opened.open();
  await opened.ensureTopic({ name: topic, partitions, retention: 'standard' });
  assert.equal(opened.durability(-1), 'disk');
  broker = opened;
  run = new AppendCallers(request.callers, (key, sequence) =>
    opened.append([{ topic, key, body, headers: { 'bigpipe-message-id': `msg_${sequence}` } }], -1),
  );
  return null;
}

async function close(): Promise<null> {
  await broker?.close();
  return null;
}

serveCommands<AppendCommands>({
  open,
  run: ({ durationMs }) => (run as AppendCallers).run(durationMs),
  close,
});
