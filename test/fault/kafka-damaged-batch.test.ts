// A bit of a log segment turns on Kafka's disk: nothing of that batch is delivered, its partition waits, and the others go on.
import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalCluster } from '../../kafka/local-cluster.ts';
import { GroupLog } from '../support/group-log.js';
import { canStartKafka, kafkaBroker, ownKafka } from '../support/kafka-cluster.js';
import { until } from '../support/until.js';

describe.skipIf(!canStartKafka)('a damaged batch on Kafka', () => {
  let kafka: LocalCluster;

  beforeAll(async () => {
    kafka = await ownKafka(1);
  }, 200_000);

  afterAll(() => kafka?.remove());

  /** The file in which `text` stands, and where; the node's data are below its directory. */
  async function placeOf(text: string): Promise<{ file: string; at: number }> {
    const files = await readdir(kafka.directory, { recursive: true });
    for (const name of files.filter((one) => one.endsWith('.log'))) {
      const file = join(kafka.directory, name);
      const at = (await readFile(file)).indexOf(text);
      if (at !== -1) return { file, at };
    }
    throw new Error(`${text} is nowhere below ${kafka.directory}`);
  }

  async function turnBit({ file, at }: { file: string; at: number }): Promise<void> {
    const bytes = await readFile(file);
    bytes[at] = (bytes[at] as number) ^ 1;
    await writeFile(file, bytes, { flag: 'r+' });
  }

  test('is told and never delivered; whole again, it comes, and what stands behind it', async () => {
    const told: string[] = [];
    const broker = kafkaBroker(kafka.servers, {}, (text) => told.push(text));
    await broker.open();
    const topic = `damaged-${randomUUID()}`;
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    const append = (body: string, partition: number) =>
      broker.append([{ topic, partition, key: null, body: Buffer.from(body), headers: {} }], -1);
    for (const name of ['first', 'second', 'third']) {
      await append(`${name}-of-the-sick-${topic}`, 0);
      await append(`${name}-of-the-sound-${topic}`, 1);
    }
    const place = await placeOf(`second-of-the-sick-${topic}`);
    await turnBit(place);

    const log = new GroupLog();
    const member = await broker.join(`readers-${randomUUID()}`, [topic], log);
    const cameOf = (which: 'sick' | 'sound') =>
      log.received
        .map(({ body }) => body.toString())
        .filter((body) => body.endsWith(`-of-the-${which}-${topic}`))
        .map((body) => body.slice(0, body.indexOf('-')));
    await until('the sound partition has come', () => cameOf('sound').includes('third'));
    await until('the damage is met again and again', () => broker.counters.unreadable >= 3);
    expect(cameOf('sick')).toEqual(['first']);
    await append(`fourth-of-the-sound-${topic}`, 1);
    await until('the sound partition goes on', () => cameOf('sound').includes('fourth'));
    expect(told.filter((text) => text.includes(`${topic}/0 at offset 1 cannot be read`))).toHaveLength(1);

    await turnBit(place);
    await until('what stood behind it comes', () => cameOf('sick').includes('third'));
    expect(cameOf('sick')).toEqual(['first', 'second', 'third']);
    await member.leave();
    await broker.close();
  });
});
