// A stock kafkajs consumer, with its own assignor and its own commits, that posts every message to the receiver.
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { Agent } from 'undici';
import { bareKafka } from '../support/bare-kafka.ts';
import type { ConsumerCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const inFlight = 100;
/** As the driver's. */
const timing = { sessionTimeout: 10_000, heartbeatInterval: 300, maxWaitTimeInMs: 500 };
const partitionsAtOnce = 8;
const headers = ['content-type', 'application/octet-stream'];

const agent = new Agent({ connections: inFlight, pipelining: 1, allowH2: false });
let consumer: Consumer | null = null;
let partitions = 0;

async function post(origin: string, body: Buffer): Promise<void> {
  const answer = await agent.request({ origin, path: '/hook', method: 'POST', headers, body });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`the receiver answered ${answer.statusCode}`);
}

async function join({ servers, topic, origin }: ConsumerCommands['join']['request']): Promise<null> {
  consumer = bareKafka(servers).consumer({ groupId: `${topic}-stock`, allowAutoTopicCreation: false, ...timing });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    partitions = payload.memberAssignment[topic]?.length ?? 0;
  });
  consumer.on(consumer.events.REBALANCING, () => {
    partitions = 0;
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    partitionsConsumedConcurrently: partitionsAtOnce,
    eachBatch: (batch) => eachBatch(origin, batch),
  });
  return null;
}

async function eachBatch(origin: string, { batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
  for (let i = 0; i < batch.messages.length; i += inFlight) {
    const part = batch.messages.slice(i, i + inFlight);
    await Promise.all(part.map(({ value }) => post(origin, value ?? Buffer.alloc(0))));
    const last = part.at(-1);
    if (last !== undefined) resolveOffset(last.offset);
    await heartbeat();
  }
}

async function leave(): Promise<null> {
  partitions = 0;
  await consumer?.disconnect();
  await agent.close();
  return null;
}

serveCommands<ConsumerCommands>({ join, assigned: () => ({ partitions }), leave });
