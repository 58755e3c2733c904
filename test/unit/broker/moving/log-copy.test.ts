// A copy of an embedded log in a real Kafka: every message at its own offset, every mark as it was.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import type { KafkaBroker } from '#src/broker/drivers/kafka/kafka.broker.js';
import { LogCopy } from '#src/broker/moving/log-copy.js';
import { readMetadata, shortenedNote } from '#src/dispatcher/window/offset-tracker.js';
import { SystemClock } from '#src/message/clock.js';
import { type EmbeddedHome, embeddedHome } from '../../../support/embedded.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { GroupLog } from '../../../support/group-log.js';
import { hasKafka, kafkaBroker, sharedKafka } from '../../../support/kafka-cluster.js';
import { readTopic } from '../../../support/read-topic.js';
import { until } from '../../../support/until.js';

describe.skipIf(!hasKafka)('a copy in Kafka', () => {
  let home: EmbeddedHome;
  let clock: FakeClock;
  let source: EmbeddedBroker;
  let target: KafkaBroker;
  let topic: string;

  beforeEach(async () => {
    home = await embeddedHome();
    clock = new FakeClock(Date.now());
    source = home.make({ clock, retentionMs: 1000 });
    await source.open();
    target = kafkaBroker(await sharedKafka());
    await target.open();
    topic = `move-${randomUUID()}`;
    await source.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
  }, 300_000);

  afterEach(async () => {
    await Promise.all([source?.close(), target?.close()]);
    await home?.remove();
  });

  const copyOf = () =>
    new LogCopy({
      source,
      target,
      shorten: shortenedNote,
      clock: new SystemClock(),
      stop: new AbortController().signal,
    });

  const append = (from: number, count: number, partition = 0) => {
    const bodies = Array.from({ length: count }, (_, i) => `${from + i}`);
    const headers = { 'bigpipe-url': 'http://r/' };
    return source.append(
      bodies.map((body) => ({ topic, partition, key: Buffer.from(body), body: Buffer.from(body), headers })),
      -1,
    );
  };

  const commit = async (group: string, offset: bigint, metadata: string) => {
    const member = await source.join(group, [topic], new GroupLog());
    await member.commit({ topic, partition: 0 }, { offset, metadata });
    await member.leave();
  };

  test('of what retention has left: offsets stay, and nothing stands in the place of what is gone', async () => {
    await append(0, 1500);
    await commit('G1', 1500n, '');
    clock.advance(60_000);
    await until('retention has taken them', async () => {
      clock.advance(10_000);
      return (await source.fetch({ topic, partition: 0 }, 0n)).nextOffset > 1000n;
    });
    await append(1500, 300);
    await append(0, 3, 1);
    const copy = copyOf();
    await copy.catchUp();
    expect([copy.copied, copy.total]).toEqual([1803n, 1803n]);
    const kept = await source.fetch({ topic, partition: 0 }, 0n);
    const first = kept.messages[0]?.offset ?? 0n;
    const read = await readTopic(target, topic);
    const ofFirst = read.filter(({ partition }) => partition === 0);
    expect(ofFirst.map(({ offset }) => offset)).toEqual(
      Array.from({ length: Number(1800n - first) }, (_, i) => first + BigInt(i)),
    );
    expect(read.every(({ offset, body, key }) => [body, key].every((bytes) => bytes?.toString() === `${offset}`))).toBe(
      true,
    );
  }, 120_000);

  test('marks come along, with what they say, in as many bytes as there is room for', async () => {
    await append(0, 9000);
    const lengths = Array.from({ length: 4000 }, () => '1.1').join('.');
    await commit('wide', 2n, `2:c6c:${lengths}`);
    await commit('small', 7n, '2::1.3');
    const copy = copyOf();
    await copy.catchUp();
    await copy.copyMarks();
    const log = new GroupLog();
    const [wide, small] = [new GroupLog(), log];
    const members = [await target.join('wide', [topic], wide), await target.join('small', [topic], small)];
    const startOf = ({ assignments }: GroupLog) => assignments.find(({ partition }) => partition === 0)?.start;
    await until('both are assigned', () => startOf(wide) && startOf(small), 60_000);
    expect(startOf(small)).toEqual({ offset: 7n, metadata: '2::1.3' });
    const { offset = 0n, metadata = '' } = startOf(wide) ?? {};
    expect([offset, metadata.length <= target.maxMetadataBytes]).toEqual([2n, true]);
    const note = readMetadata(offset, metadata);
    expect(note.handOut).toEqual({ end: 2n + BigInt(Number.parseInt('6c', 36)), cause: 'crash' });
    expect(note.settled.length).toBeGreaterThan(900);
    expect(note.settled).toEqual(note.settled.map((_, i) => [3n + 2n * BigInt(i), 4n + 2n * BigInt(i)]));
    for (const member of members) await member.leave();
  }, 120_000);

  test('goes on where an earlier one ended, and refuses a topic that holds something else', async () => {
    await append(0, 500);
    await copyOf().catchUp();
    await append(500, 20);
    const again = copyOf();
    expect(await again.catchUp()).toBe(20n);
    expect((await readTopic(target, topic)).length).toBe(520);
    const [message] = (await source.fetch({ topic, partition: 0 }, 3n)).messages;
    await target.append([{ topic, partition: 0, key: null, body: message?.body ?? Buffer.alloc(0), headers: {} }], -1);
    await append(520, 1);
    await expect(copyOf().catchUp()).rejects.toThrow(`${topic}/0 has something else in the other log`);
    await append(521, 10);
    await expect(again.catchUp()).rejects.toThrow(`${topic}/0 has something else in the other log`);
  }, 120_000);
});
