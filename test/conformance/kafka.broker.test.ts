// The Kafka driver against every promise of the port, on a real Kafka.
import { randomUUID } from 'node:crypto';
import { beforeAll, describe } from 'vitest';
import { hasKafka, kafkaBroker, sharedKafka } from '../support/kafka-cluster.js';
import { NamedApart } from '../support/named-apart.js';
import { brokerSuite } from './broker.suite.js';

describe.skipIf(!hasKafka)('on a real Kafka', () => {
  let servers = '';
  beforeAll(async () => {
    servers = await sharedKafka();
  }, 300_000);

  brokerSuite('kafka', {
    make: () => new NamedApart(kafkaBroker(servers), `${randomUUID()}-`),
    close: async () => undefined,
  });
});
