// Kafka behind TLS that asks who we are: every way that the settings name, and what is said when it is refused.
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KafkaSaslSettings, saslMechanisms } from '#src/config-watch/settings.js';
import { kafkaUser, type LocalCluster } from '../../../../kafka/local-cluster.ts';
import { canStartKafka, kafkaBroker, ownKafka } from '../../../support/kafka-cluster.js';
import { readTopic } from '../../../support/read-topic.js';
import { TcpProxy } from '../../../support/tcp-proxy.js';

describe.skipIf(!canStartKafka)('a secured Kafka', () => {
  let kafka: LocalCluster;
  let proxy: TcpProxy;
  let servers = '';
  let caFile = '';

  beforeAll(async () => {
    kafka = await ownKafka(1, true);
    const [node] = kafka.nodes;
    if (node === undefined) throw new Error('there is no node');
    proxy = await TcpProxy.start(node.behind.announcedPort, node.behind.port);
    servers = `127.0.0.1:${node.behind.announcedPort}`;
    caFile = join(kafka.directory, 'node-1', 'certificate.pem');
  }, 200_000);

  afterAll(async () => {
    await proxy?.close();
    await kafka?.remove();
  });

  const brokerFor = (sasl: KafkaSaslSettings | null, ca: string | null = caFile, verify = true) =>
    kafkaBroker(servers, { tls: { caFile: ca, certFile: null, keyFile: null, verify }, sasl });

  test.each(saslMechanisms)('%s: writes and reads', async (mechanism) => {
    const broker = brokerFor({ mechanism, ...kafkaUser });
    await broker.open();
    const topic = randomUUID();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    await broker.append([{ topic, key: null, body: Buffer.from('a'), headers: {} }], -1);
    expect((await readTopic(broker, topic)).map(({ body }) => body.toString())).toEqual(['a']);
    await broker.close();
  });

  test.each(saslMechanisms)('%s with a wrong password is refused', async (mechanism) => {
    const broker = brokerFor({ mechanism, username: kafkaUser.username, password: 'guessed' });
    await expect(broker.open()).rejects.toMatchObject({
      code: 'storage-failed',
      message: expect.stringMatching(/auth/i),
    });
  });

  test('who answers with a certificate that is not trusted is not talked to, unless that is asked for', async () => {
    const other = brokerFor({ mechanism: 'plain', ...kafkaUser }, null);
    await expect(other.open()).rejects.toMatchObject({ message: expect.stringMatching(/certificate/) });
    const careless = brokerFor({ mechanism: 'plain', ...kafkaUser }, null, false);
    await careless.open();
    await careless.close();
  });

  test('a certificate file that is not there, or is none, is named', async () => {
    expect(() => brokerFor(null, '/nowhere/ca.pem')).toThrow(/kafka\.tls\.ca.*\/nowhere\/ca\.pem/);
    const file = join(kafka.directory, 'none.pem');
    await writeFile(file, 'no certificate');
    await expect(brokerFor(null, file).open()).rejects.toMatchObject({ code: 'storage-failed' });
  });
});
