// Fills the embedded log of a program that does not run: what its door would have stored, but many at once and without a sync.
import 'reflect-metadata';
import { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';
import { messageHeader } from '#src/message/message.js';
import { dataOf } from '../support/call-body.ts';
import { nowUs } from '../support/latency.ts';
import type { FillCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const perAppend = 1000;
/** Appends under way: one is laid out while another is written. */
const underWay = 4;
const dayMs = 86_400_000;
const terabyte = 2 ** 40;

let broker: EmbeddedBroker | null = null;
let topic = '';

async function open(request: FillCommands['open']['request']): Promise<null> {
  const options = { directory: request.directory, fsync: false, maxBytes: 0 };
  broker = new EmbeddedBroker(new SqliteStore(options), {
    fsync: false,
    retentionMs: dayMs,
    retentionBytes: terabyte,
    retentionHardMs: 0,
    offsetsRetentionMs: dayMs,
    tailBytes: 0,
    clock: new SystemClock(),
    report: (text, error) => console.error('embedded fill:', text, error),
  });
  await broker.open();
  ({ topic } = request);
  await broker.ensureTopic({ name: topic, partitions: request.partitions, retention: 'standard' });
  return null;
}

async function fill({ count, firstSequence, ...what }: FillCommands['fill']['request']): Promise<null> {
  let next = firstSequence;
  const end = firstSequence + count;
  const appender = async () => {
    while (next < end) {
      const from = next;
      next = Math.min(end, from + perAppend);
      const messages = Array.from({ length: next - from }, (_, i) => messageOf(from + i, what));
      await broker?.append(messages, -1);
    }
  };
  await Promise.all(Array.from({ length: underWay }, appender));
  return null;
}

function messageOf(sequence: number, what: { callUrl: string; users: number; bytes: number }) {
  const headers = { [messageHeader.url]: what.callUrl, [messageHeader.id]: `msg_${sequence}` };
  const body = Buffer.from(dataOf(nowUs(), sequence, what.bytes), 'latin1');
  return { topic, key: Buffer.from(`user-${sequence % what.users}`), body, headers };
}

async function close(): Promise<null> {
  await broker?.close();
  return null;
}

serveCommands<FillCommands>({ open, fill, close });
