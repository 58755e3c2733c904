// Transactions over a broker in memory and a clock that the test moves; nobody delivers their checks but the test.
import { Logger } from '@nestjs/common';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import { Environment } from '#src/config-watch/env.js';
import { parseSettings } from '#src/config-watch/load-settings.js';
import type { TransactionSettings } from '#src/config-watch/settings.js';
import { type Message, messageHeader, type StoredMessage } from '#src/message/message.js';
import { checkTopic, transactionTopic } from '#src/message/side-topic.js';
import { NodeIdempotency } from '#src/producer/node-idempotency.js';
import { Producer } from '#src/producer/producer.js';
import { Metrics } from '#src/stats/metrics/metrics.js';
import { Stats } from '#src/stats/stats.js';
import { NoTracing } from '#src/stats/tracing/tracing.js';
import { Checker } from '#src/transaction/checker.js';
import { Finisher } from '#src/transaction/finisher.js';
import type { HalfMessage } from '#src/transaction/half-messages.js';
import { Keeping } from '#src/transaction/keeping.js';
import { TransactionLog } from '#src/transaction/transaction-log.js';
import { Transactions } from '#src/transaction/transactions.js';
import { UnsentLetters } from '#src/transaction/unsent-letters.js';
import { baseConfig, baseConsumer } from './bigpipe-process.js';
import { FakeClock } from './fake-clock.js';
import { until } from './until.js';

Logger.overrideLogger(false);

const parts = { variables: {}, referred: new Set<string>(), started: null };
const consumer = baseConsumer({ groupId: 'G' });
const config = baseConfig({ 'kafka.topics': [{ name: 'test', partitions: 1 }], 'kafka.consumer.list': [consumer] });
const read = parseSettings(JSON.stringify(config), new Environment(), parts).settings;

const usual: TransactionSettings = {
  enabled: true,
  firstCheckMs: 6000,
  intervalMs: 30_000,
  maxIntervalMs: 600_000,
  maxChecks: 15,
  ttlMs: 604_800_000,
  onTtl: 'dead-letter',
  maxUndecided: 100_000,
  rememberMs: 86_400_000,
  maxRemembered: 1000,
};

export const halfOf = (text: string, topic = 'test'): HalfMessage => ({
  topic,
  key: null,
  body: Buffer.from(text),
  headers: { [messageHeader.id]: `msg_${text}` },
  delayMs: 0,
  lastsMs: 0,
});

/** One process. Several may share a broker. */
export class TransactionNode {
  readonly transactions: Transactions;
  readonly records: TransactionLog;
  private readonly producer: Producer;

  constructor(
    readonly lab: TransactionLab,
    settings: Partial<TransactionSettings>,
  ) {
    const { broker, clock } = lab;
    const stats = new Stats();
    const configWatch = {
      settings: { ...read, transaction: { ...usual, ...settings } },
    } as ConfigWatch;
    const idempotency = new NodeIdempotency(broker, configWatch, clock, new Stats());
    this.producer = new Producer(broker, configWatch, idempotency, clock, new NoTracing(), stats, new Metrics());
    this.records = new TransactionLog(broker, this.producer);
    const finisher = new Finisher(this.records, broker, this.producer, new UnsentLetters(configWatch, clock), clock);
    const keeping = new Keeping(this.records, configWatch, clock);
    const checker = new Checker(this.records, finisher, keeping, configWatch, clock);
    const parts = [this.records, finisher, checker, this.producer, configWatch, clock] as const;
    this.transactions = new Transactions(...parts, stats, new Metrics());
  }

  async begin(text: string, changes: object = {}): Promise<string> {
    const { id } = await this.transactions.begin({
      messages: [halfOf(text)],
      caller: 'c',
      checkUrls: ['http://producer/check'],
      firstCheckMs: null,
      once: null,
      ...changes,
    });
    return id;
  }
}

export class TransactionLab {
  readonly clock = new FakeClock();
  readonly reports: string[] = [];
  readonly broker = new MemoryBroker({ maxBytes: 1e9, clock: this.clock, report: (text) => this.reports.push(text) });

  static async open(): Promise<TransactionLab> {
    const lab = new TransactionLab();
    await lab.broker.open();
    for (const name of ['test', 'test.G.dlq', checkTopic])
      await lab.broker.ensureTopic({ name, partitions: 1, retention: 'standard' });
    return lab;
  }

  async node(settings: Partial<TransactionSettings> = {}): Promise<TransactionNode> {
    const node = new TransactionNode(this, settings);
    await node.transactions.start();
    return node;
  }

  /** All of a topic. */
  async read(topic: string): Promise<StoredMessage[]> {
    const found: StoredMessage[] = [];
    for (let at = 0n; ; ) {
      const { messages, nextOffset } = await this.broker.fetch({ topic, partition: 0 }, at);
      found.push(...messages);
      if (nextOffset <= at) return found;
      at = nextOffset;
    }
  }

  async bodies(topic = 'test'): Promise<string[]> {
    return (await this.read(topic)).map(({ body }) => body.toString());
  }

  checks(): Promise<StoredMessage[]> {
    return this.read(checkTopic);
  }

  /** As the dispatcher would. */
  async answer({ key, headers }: StoredMessage, outcome: string, body = ''): Promise<void> {
    const note = headers[messageHeader.answerNote] as string;
    const record: Message = {
      topic: transactionTopic,
      key,
      body: Buffer.from(body),
      headers: { [messageHeader.answer]: outcome, [messageHeader.answerNote]: note },
    };
    await this.broker.append([record], -1);
  }

  /** Time goes on until it holds. */
  async until<T>(
    what: string,
    stepMs: number,
    holds: () => T | Promise<T>,
  ): Promise<Exclude<T, false | null | undefined>> {
    return until(what, async () => {
      this.clock.advance(stepMs);
      // What became due is done in promises of its own.
      await new Promise((resolve) => setImmediate(resolve));
      return holds();
    });
  }
}
