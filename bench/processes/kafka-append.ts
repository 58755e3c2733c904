// The program's own log without its doors: callers that append to the Kafka driver and wait for all replicas.
import 'reflect-metadata';
import { strict as assert } from 'node:assert';
import { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import { SystemClock } from '#src/message/clock.js';
import { AppendCallers } from '../support/append-callers.ts';
import { dataBytes } from '../support/call-body.ts';
import type { KafkaAppendCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const body = Buffer.alloc(dataBytes, 'x');

let broker: KafkaBroker | null = null;
let run: AppendCallers | null = null;

async function open(request: KafkaAppendCommands['open']['request']): Promise<null> {
  const { servers, topic, partitions, lingerMs, callers } = request;
  const opened = new KafkaBroker({
    settings: {
      servers: servers.split(','),
      clientId: 'bigpipe',
      tls: null,
      sasl: null,
      format: 'bigpipe',
      replicationFactor: 0,
      maxMessageBytes: 1_114_112,
      maxMetadataBytes: 4096,
      offsetStore: 'kafka',
      producer: { retries: 2, timeoutMs: 10_000, lingerMs, compression: 'none', maxWaitingBytes: 67_108_864 },
      consumer: { sessionTimeoutMs: 10_000, heartbeatMs: 300, maxWaitMs: 500, maxBufferBytes: 67_108_864 },
    },
    clock: new SystemClock(),
    report: (text, error) => console.error('kafka append:', text, error),
  });
  await opened.open();
  await opened.ensureTopic({ name: topic, partitions, retention: 'standard' });
  assert.equal(opened.durability(-1), 'replicas');
  broker = opened;
  run = new AppendCallers(callers, (key, sequence) =>
    opened.append([{ topic, key, body, headers: { 'bigpipe-message-id': `msg_${sequence}` } }], -1),
  );
  return null;
}

async function close(): Promise<null> {
  await broker?.close();
  return null;
}

serveCommands<KafkaAppendCommands>({
  open,
  run: ({ durationMs }) => (run as AppendCallers).run(durationMs),
  close,
});
