// The limit of storing on Kafka: a bare kafkajs producer in its safe mode, batching as the driver does.
import kafkajs, { type Message, type Producer } from 'kafkajs';
import { AppendCallers } from '../support/append-callers.ts';
import { bareKafka } from '../support/bare-kafka.ts';
import { dataBytes } from '../support/call-body.ts';
import { nowMs } from '../support/latency.ts';
import type { KafkaAppendCommands } from '../support/protocol.ts';
import { serveCommands } from '../support/serve-commands.ts';

const maxBatch = 1000;
/** So long after an answer there may be more to come: the driver's measure of being under load. */
const loadMs = 20;
const body = Buffer.alloc(dataBytes, 'x');

interface Waiting {
  readonly message: Message;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What waits in one turn of the event loop goes together, with one send under way; under load a little more is waited for. */
class Batcher {
  private readonly producer: Producer;
  private readonly topic: string;
  private readonly lingerMs: number;
  private waiting: Waiting[] = [];
  private sending = false;
  private scheduled = false;
  private lastBatch = 0;
  private answeredMs = 0;

  constructor(producer: Producer, topic: string, lingerMs: number) {
    this.producer = producer;
    this.topic = topic;
    this.lingerMs = lingerMs;
  }

  append(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ message, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const go = () => {
      this.scheduled = false;
      void this.send();
    };
    const isLoaded = this.lastBatch > 1 && nowMs() - this.answeredMs < loadMs;
    if (isLoaded && this.lingerMs > 0) setTimeout(go, this.lingerMs);
    else setImmediate(go);
  }

  private async send(): Promise<void> {
    if (this.sending || this.waiting.length === 0) return;
    this.sending = true;
    const batch = this.waiting.splice(0, maxBatch);
    this.lastBatch = batch.length;
    try {
      await this.producer.send({ topic: this.topic, acks: -1, messages: batch.map(({ message }) => message) });
      for (const { resolve } of batch) resolve();
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.answeredMs = nowMs();
    this.sending = false;
    if (this.waiting.length > 0) this.schedule();
  }
}

let producer: Producer | null = null;
let run: AppendCallers | null = null;

async function open({ servers, topic, lingerMs, callers }: KafkaAppendCommands['open']['request']): Promise<null> {
  producer = bareKafka(servers).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  const batcher = new Batcher(producer, topic, lingerMs);
  run = new AppendCallers(callers, (key, sequence) =>
    batcher.append({ key, value: body, headers: { 'bigpipe-message-id': `msg_${sequence}` } }),
  );
  return null;
}

async function close(): Promise<null> {
  await producer?.disconnect();
  return null;
}

serveCommands<KafkaAppendCommands>({
  open,
  run: ({ durationMs }) => (run as AppendCallers).run(durationMs),
  close,
});
