// A set of connections to Kafka's nodes: who leads a partition, who coordinates a group, and asking again when that changed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect as dialPlain, isIP } from 'node:net';
import { type ConnectionOptions, connect as dialTls } from 'node:tls';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs, { type Cluster, type ISocketFactoryArgs, type Kafka, type KafkaConfig } from 'kafkajs';
import type { KafkaBrokerSettings } from '../../../config-watch/settings.js';
import { type Clock, pause } from '../../../message/clock.js';
import { BigpipeError, textOf } from '../../../message/errors.js';
import { unlz4, unsnappy } from './decompress.js';
import { addressOf, isConnectionLost, remedyFor } from './kafka-errors.js';
import type { KafkaCluster, KafkaNode } from './kafka-requests.js';

const keepAliveMs = 60_000;
const connectTimeoutMs = 3000;
/** A node that is frozen is noticed within this time; what takes longer by design brings a longer one along. */
const requestTimeoutMs = 6000;
/** At most so often the nodes are asked who leads what. */
const refreshPauseMs = 100;

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests: (this: RequestQueue) => void;
}

/*
 * A scar: after each answer kafkajs 2.2.4 arms a timer with a negative delay which arms itself again, a thousand times a
 * second for each connection, with a warning each. It is needed only while something waits.
 */
const queue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as {
  readonly prototype: RequestQueue;
};
const { scheduleCheckPendingRequests: arm } = queue.prototype;
queue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
  if (this.pending.length > 0) arm.call(this);
};

const zstd = { in: promisify(zstdCompress), out: promisify(zstdDecompress) };
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { readonly buffer: Buffer }) => zstd.in(encoder.buffer),
  decompress: (buffer: Buffer) => zstd.out(buffer),
});

const notWritten = async () => {
  throw new Error('bigpipe does not write in this compression');
};
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.Snappy] = () => ({
  compress: notWritten,
  decompress: async (buffer: Buffer) => unsnappy(buffer),
});
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.LZ4] = () => ({
  compress: notWritten,
  decompress: async (buffer: Buffer) => unlz4(buffer),
});

/** Without TCP_NODELAY a request of some 256 KiB waits 40 ms for its last part. */
function dial({ host, port, ssl, onConnect }: ISocketFactoryArgs) {
  const name = isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? dialTls({ host, port, ...name, ...(ssl as ConnectionOptions) }, onConnect)
    : dialPlain({ host, port }, onConnect);
  socket.setKeepAlive(true, keepAliveMs);
  socket.setNoDelay(true);
  return socket;
}

/** Files are read once, at the start. */
function pem(key: string, file: string | null): { readonly [name: string]: Buffer } {
  if (file === null) return {};
  try {
    return { [key]: readFileSync(file) };
  } catch (error) {
    throw new BigpipeError('storage-failed', `kafka.tls.${key}: ${file} cannot be read: ${textOf(error)}`);
  }
}

/** The client library, told who we are and where Kafka is. Throws when a certificate's file cannot be read. */
export function newKafka({ servers, clientId, tls, sasl }: KafkaBrokerSettings): Kafka {
  const ssl = tls && {
    rejectUnauthorized: tls.verify,
    ...pem('ca', tls.caFile),
    ...pem('cert', tls.certFile),
    ...pem('key', tls.keyFile),
  };
  return new kafkajs.Kafka({
    clientId,
    brokers: [...servers],
    connectionTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 400 },
    logLevel: kafkajs.logLevel.NOTHING,
    socketFactory: dial,
    ...(ssl === null ? {} : { ssl }),
    ...(sasl === null ? {} : { sasl: sasl as NonNullable<KafkaConfig['sasl']> }),
  });
}

/** kafkajs hands its nodes to whoever shares out partitions, and to nobody else. */
function clusterOf(kafka: Kafka): KafkaCluster {
  let found: Cluster | undefined;
  kafka.consumer({
    groupId: 'none',
    allowAutoTopicCreation: false,
    partitionAssigners: [
      ({ cluster }) => {
        found = cluster;
        return {
          name: 'none',
          version: 0,
          assign: async () => [],
          protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }),
        };
      },
    ],
  });
  return found as unknown as KafkaCluster;
}

/** Requests of one link wait for one another at each node, except fetches, which have a connection of their own. */
export class KafkaLink {
  private readonly cluster: KafkaCluster;
  private readonly coordinators = new Map<string, Promise<KafkaNode>>();
  /** Those that were used, by host:port. */
  private readonly nodes = new Map<string, KafkaNode>();
  private refreshing: Promise<void> | null = null;
  private closed = false;

  constructor(
    kafka: Kafka,
    private readonly clock: Clock,
  ) {
    this.cluster = clusterOf(kafka);
  }

  async open(topics: readonly string[] = []): Promise<void> {
    await this.cluster.connect();
    if (topics.length > 0) await this.cluster.addMultipleTargetTopics(topics);
    else await this.cluster.refreshMetadata();
  }

  /** From now on it knows who leads them. Rejects when one does not exist. */
  async watch(topics: readonly string[]): Promise<void> {
    await this.cluster.addMultipleTargetTopics(topics);
  }

  partitionsOf(topic: string): number {
    return this.cluster.findTopicPartitionMetadata(topic).length;
  }

  /** Null while nobody leads the partition, as far as is known. */
  leaderOf(topic: string, partition: number): number | null {
    const found = this.cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
    return found === undefined || found.leader < 0 ? null : found.leader;
  }

  async node(id: number): Promise<KafkaNode> {
    const node = await this.cluster.findBroker({ nodeId: `${id}` });
    this.nodes.set(node.brokerAddress, node);
    return node;
  }

  async anyNode(): Promise<KafkaNode> {
    return this.cluster.findControllerBroker();
  }

  get nodeIds(): readonly string[] {
    return this.cluster.getNodeIds();
  }

  get nodeCount(): number {
    return this.cluster.getNodeIds().length;
  }

  /** Remembered until `forgetCoordinator`. */
  coordinatorOf(group: string): Promise<KafkaNode> {
    const known = this.coordinators.get(group);
    if (known !== undefined) return known;
    const asked = this.cluster.findGroupCoordinator({ groupId: group });
    this.coordinators.set(group, asked);
    asked.catch(() => this.coordinators.delete(group));
    return asked;
  }

  forgetCoordinator(group: string): void {
    this.coordinators.delete(group);
  }

  /** The oldest offsets, those behind the newest readable message, or the first at or after a time (Unix milliseconds), -1 for none. */
  async offsets(
    topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
    which: 'oldest' | 'end' | number,
  ): Promise<readonly { readonly topic: string; readonly partition: number; readonly offset: bigint }[]> {
    const from = typeof which === 'number' ? { fromTimestamp: which } : { fromBeginning: which === 'oldest' };
    const answers = await this.cluster.fetchTopicsOffset(
      topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => ({ partition })),
        ...from,
      })),
    );
    return answers.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, offset }) => ({ topic, partition, offset: BigInt(offset) })),
    );
  }

  /** Asks the nodes anew; never rejects, because whoever needs the answer tries again. Calls at the same time share one. */
  refresh(): Promise<void> {
    this.refreshing ??= this.askAgain().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  /** The same, when the answer matters. */
  async refreshNow(): Promise<void> {
    await this.cluster.refreshMetadata();
  }

  /** Asks again, with fresh knowledge of who leads what, until there is an answer or the bound is over. */
  async insist<T>(boundMs: number, ask: () => Promise<T>): Promise<T> {
    const endMs = this.clock.elapsedMs() + boundMs;
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (this.closed || remedyFor(error) === 'none' || this.clock.elapsedMs() > endMs) throw error;
        this.failed(error);
        await this.refresh();
      }
    }
  }

  /** After a failure: a connection that is gone is not used again. */
  failed(error: unknown): void {
    if (!isConnectionLost(error)) return;
    this.coordinators.clear();
    const address = addressOf(error);
    if (address === null) return;
    // A frozen node keeps its connections: it would be asked again and again.
    this.cluster.removeBroker(address);
    const node = this.nodes.get(`${address.host}:${address.port}`);
    this.nodes.delete(`${address.host}:${address.port}`);
    node?.disconnect().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.cluster.disconnect().catch(() => undefined);
  }

  private async askAgain(): Promise<void> {
    if (this.closed) return;
    try {
      if (!this.cluster.isConnected()) await this.cluster.connect();
      await this.cluster.refreshMetadata();
    } catch (error) {
      this.failed(error);
    }
    await pause(this.clock, refreshPauseMs);
  }
}
