// Reads a topic out of the directory of a process that has ended, for what no receiver ever sees.
import { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';
import type { StoredMessage } from '#src/message/message.js';
import { until } from './until.js';

const day = 86_400_000;

/** All messages of the topic, partition by partition. The log's directory must be nobody's at the moment. */
export async function storedMessages(directory: string, topic: string): Promise<StoredMessage[]> {
  const store = new SqliteStore({ directory, fsync: true, maxBytes: 0 });
  const broker = new EmbeddedBroker(store, {
    fsync: true,
    retentionMs: day,
    retentionBytes: Number.MAX_SAFE_INTEGER,
    retentionHardMs: 0,
    offsetsRetentionMs: day,
    tailBytes: 0,
    clock: new SystemClock(),
    report: (text, error) => {
      throw new Error(text, { cause: error });
    },
  });
  await broker.open();
  try {
    const messages: StoredMessage[] = [];
    await broker.join('test-reader', [topic], {
      assigned: () => undefined,
      messages: (_membership, batch) => {
        messages.push(...batch.messages);
      },
      revoked: () => undefined,
    });
    const total = broker.lag('test-reader', topic).reduce((sum, { highWatermark }) => sum + Number(highWatermark), 0);
    await until(`all ${total} messages of ${topic} are read`, () => messages.length >= total);
    return messages.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
  } finally {
    await broker.close();
  }
}
