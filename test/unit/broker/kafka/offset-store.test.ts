// Marks that are kept in a second place too: the higher of the two is where a group begins.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CommittedOffset, TopicPartition } from '#src/broker/broker.js';
import type { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import { OffsetStore } from '#src/broker/offset-store.js';
import { GroupLog } from '../../../support/group-log.js';
import { hasKafka, kafkaBroker, sharedKafka } from '../../../support/kafka-cluster.js';
import { until } from '../../../support/until.js';

class NotedOffsets extends OffsetStore {
  isWell = true;
  marks: (TopicPartition & CommittedOffset)[] = [];

  override async load() {
    if (!this.isWell) throw new Error('gone');
    return this.marks;
  }

  override async save(_group: string, partition: TopicPartition, committed: CommittedOffset) {
    this.marks.push({ ...partition, ...committed });
  }
}

describe.skipIf(!hasKafka)('an offset store beside Kafka', () => {
  let servers = '';
  let topic = '';
  let store: NotedOffsets;
  let broker: KafkaBroker;
  const told: string[] = [];

  beforeAll(async () => {
    servers = await sharedKafka();
  }, 300_000);

  beforeEach(async () => {
    topic = `t-${randomUUID()}`;
    store = new NotedOffsets();
    told.length = 0;
    broker = kafkaBroker(servers, {}, (text) => told.push(text), store);
    await broker.open();
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    for (const body of ['a', 'b', 'c'])
      await broker.append([{ topic, key: null, body: Buffer.from(body), headers: {} }], -1);
  });

  afterEach(() => broker.close());

  const startOf = async () => {
    const log = new GroupLog();
    const membership = await broker.join(topic, [topic], log);
    await until('it has begun', () => log.assignments.length === 1);
    const { start } = log.assignments[0] ?? {};
    return { membership, start };
  };

  test('has every commit, and the higher mark wins', async () => {
    const first = await startOf();
    await first.membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: 'of Kafka' });
    await first.membership.leave();
    expect(store.marks).toEqual([{ topic, partition: 0, offset: 1n, metadata: 'of Kafka' }]);
    store.marks = [{ topic, partition: 0, offset: 2n, metadata: 'of the store' }];
    const second = await startOf();
    expect(second.start).toEqual(expect.objectContaining({ offset: 2n, metadata: 'of the store' }));
    await second.membership.commit({ topic, partition: 0 }, { offset: 3n, metadata: 'of Kafka' });
    await second.membership.leave();
    store.marks = [{ topic, partition: 0, offset: 2n, metadata: 'of the store' }];
    expect((await startOf()).start).toEqual({ offset: 3n, metadata: 'of Kafka' });
  });

  test('behind the end it is of another topic; one that does not answer is told and left alone', async () => {
    store.marks = [{ topic, partition: 0, offset: 4n, metadata: '' }];
    const first = await startOf();
    expect(first.start?.offset).toBe(0n);
    await first.membership.leave();
    store.isWell = false;
    expect((await startOf()).start?.offset).toBe(0n);
    expect(told).toContainEqual(expect.stringContaining('the offset store does not answer'));
  });
});
