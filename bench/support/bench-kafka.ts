// A Kafka for the bench: the one of KAFKA_BROKERS, else a node of its own that ends with the scenario.
import { randomUUID } from 'node:crypto';
import type { Admin } from 'kafkajs';
import { hasJava, LocalCluster } from '../../kafka/local-cluster.ts';
import { bareKafka } from './bare-kafka.ts';

const given = process.env['KAFKA_BROKERS'] ?? '';

/** Why there is none; null when there is. */
export async function whyNoKafka(): Promise<string | null> {
  return given !== '' || (await hasJava()) ? null : 'neither Java nor KAFKA_BROKERS is there';
}

export class BenchKafka {
  /** host:port of its nodes, separated by commas. */
  readonly servers: string;
  private readonly own: LocalCluster | null;
  private readonly admin: Admin;
  private readonly prefix = `bench-${randomUUID().slice(0, 8)}`;

  private constructor(servers: string, own: LocalCluster | null, admin: Admin) {
    this.servers = servers;
    this.own = own;
    this.admin = admin;
  }

  /** Its data goes into the directory. */
  static async start(directory: string): Promise<BenchKafka> {
    const own = given === '' ? await LocalCluster.start(directory, 1) : null;
    const servers = own?.servers ?? given;
    const admin = bareKafka(servers).admin();
    try {
      await admin.connect();
      return new BenchKafka(servers, own, admin);
    } catch (error) {
      await own?.remove();
      throw error;
    }
  }

  /** A topic's name that nobody else uses. */
  nameOf(what: string): string {
    return `${this.prefix}-${what}`;
  }

  /** Makes the topic and resolves to its name, see `nameOf`. */
  async topic(what: string, partitions: number): Promise<string> {
    const topic = this.nameOf(what);
    await this.admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: partitions }] });
    return topic;
  }

  /** How many messages stand there. */
  async countOf(topic: string): Promise<number> {
    const ends = await this.admin.fetchTopicOffsets(topic);
    return ends.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }

  async stop(): Promise<void> {
    try {
      if (this.own === null) await this.removeTopics();
      await this.admin.disconnect();
    } finally {
      await this.own?.remove();
    }
  }

  /** Somebody else's Kafka keeps nothing of ours. */
  private async removeTopics(): Promise<void> {
    const topics = (await this.admin.listTopics()).filter((name) => name.startsWith(this.prefix));
    if (topics.length > 0) await this.admin.deleteTopics({ topics });
  }
}
