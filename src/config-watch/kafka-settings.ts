// The Kafka driver's settings from the user's keys.
import type { Environment } from './env.js';
import type { Faults } from './faults.js';
import type { KafkaSection } from './schema/kafka.js';
import type { KafkaBrokerSettings } from './settings.js';

/** What a message may have beside its body: key, headers, the batch around it. */
const besideBodyBytes = 65_536;
/** Also how soon a member learns that another one has come or gone. */
const heartbeatMs = 300;
const fetchWaitMs = 500;

const serversOf = (kafka: KafkaSection, environment: Environment) =>
  (environment.KAFKA_BROKERS ?? kafka['kafka.bootstrap.servers'] ?? '')
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '');

export function kafkaOf(kafka: KafkaSection, maxBodyBytes: number, environment: Environment): KafkaBrokerSettings {
  const mechanism = kafka['kafka.sasl.mechanism'];
  return {
    servers: serversOf(kafka, environment),
    clientId: kafka['kafka.client.id'],
    tls: kafka['kafka.tls']
      ? {
          caFile: kafka['kafka.tls.ca'] ?? null,
          certFile: kafka['kafka.tls.cert'] ?? null,
          keyFile: kafka['kafka.tls.key'] ?? null,
          verify: kafka['kafka.tls.verify'],
        }
      : null,
    sasl:
      mechanism === undefined
        ? null
        : {
            mechanism,
            username: kafka['kafka.sasl.username'] ?? '',
            password: environment.BIGPIPE_KAFKA_PASSWORD ?? kafka['kafka.sasl.password'] ?? '',
          },
    format: kafka['kafka.message.format'],
    replicationFactor: kafka['kafka.topics.replication.factor'],
    maxMessageBytes: maxBodyBytes + besideBodyBytes,
    maxMetadataBytes: kafka['kafka.consumer.metadata.bytes'],
    offsetStore: kafka['kafka.offset.store'],
    producer: {
      retries: kafka['kafka.producer.retries'],
      timeoutMs: kafka['kafka.producer.timeout'],
      lingerMs: kafka['kafka.producer.linger.ms'],
      compression: kafka['kafka.producer.compression'],
      maxWaitingBytes: 67_108_864,
    },
    consumer: {
      sessionTimeoutMs: kafka['kafka.consumer.session.timeout'],
      heartbeatMs,
      maxWaitMs: fetchWaitMs,
      maxBufferBytes: kafka['kafka.consumer.buffer.bytes'],
    },
  };
}

/** What the driver cannot start without. */
export function collectKafkaFaults(
  kafka: KafkaSection,
  driver: string,
  environment: Environment,
  faults: Faults,
): void {
  if (driver !== 'kafka') return;
  if (serversOf(kafka, environment).length === 0) {
    faults.push('kafka.bootstrap.servers: found nothing, allowed: one or more host:port, separated by commas');
  }
  const password = environment.BIGPIPE_KAFKA_PASSWORD ?? kafka['kafka.sasl.password'];
  if (kafka['kafka.sasl.mechanism'] === undefined) return;
  if (kafka['kafka.sasl.username'] === undefined) faults.push('kafka.sasl.username: found nothing beside a mechanism');
  if (password === undefined) faults.push('kafka.sasl.password: found nothing beside a mechanism');
}
