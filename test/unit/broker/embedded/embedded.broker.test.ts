// The embedded log over restarts, full disks, retention and damage.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EmbeddedBroker } from '#src/broker/drivers/embedded/embedded.broker.js';
import type { Message } from '#src/message/message.js';
import { type EmbeddedHome, embeddedHome } from '../../../support/embedded.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { GroupLog } from '../../../support/group-log.js';
import { until } from '../../../support/until.js';

const topic = 'orders';
const message = (body: string | Buffer, partition = 0): Message => ({
  topic,
  key: null,
  body: Buffer.from(body),
  headers: {},
  partition,
});
const many = (count: number, size: number) => Array.from({ length: count }, () => message(Buffer.alloc(size, 'x')));

let home: EmbeddedHome;
let open: EmbeddedBroker[] = [];

beforeEach(async () => {
  home = await embeddedHome();
});

afterEach(async () => {
  for (const broker of open) await broker.close();
  open = [];
  await home.remove();
});

async function start(options: Parameters<EmbeddedHome['make']>[0] = {}): Promise<EmbeddedBroker> {
  const broker = home.make(options);
  open.push(broker);
  await broker.open();
  await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
  return broker;
}

async function readAll(broker: EmbeddedBroker, group = 'reader'): Promise<GroupLog> {
  const log = new GroupLog();
  const membership = await broker.join(group, [topic], log);
  await until('all is read', () =>
    broker.lag(group, topic).every(({ partition, highWatermark }) => {
      const last = log.batches.findLast((batch) => batch.partition === partition);
      return (last?.nextOffset ?? log.assignments[partition]?.start.offset) === highWatermark;
    }),
  );
  await membership.leave();
  return log;
}

describe('restart', () => {
  test('messages, offsets and committed marks are there again', async () => {
    const first = await start();
    await first.append([message('a'), message('b'), message('c', 1)], -1);
    const membership = await first.join('G', [topic], new GroupLog());
    await membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: '1:0.1' });
    await first.close();
    const second = await start();
    const [position] = await second.append([message('d')], -1);
    expect(position).toEqual({ topic, partition: 0, offset: 2n });
    expect((await readAll(second)).bodies(0)).toEqual(['a', 'b', 'd']);
    const log = new GroupLog();
    await second.join('G', [topic], log);
    expect(log.assignments[0]?.start).toEqual({ offset: 1n, metadata: '1:0.1' });
  });

  test('offsets go on behind the last one even when retention has removed every message', async () => {
    const clock = new FakeClock();
    const first = await start({ clock, retentionMs: 1000 });
    await first.append([message('a'), message('b')], -1);
    clock.advance(11_000);
    await until('all is gone', () => first.startOffset({ topic, partition: 0 }) === 2n);
    await first.close();
    const second = await start();
    expect((await second.append([message('c')], -1))[0]?.offset).toBe(2n);
  });
});

describe('who may open it', () => {
  test('a second owner is refused, with the directory in the text; after the first has closed it may', async () => {
    const first = await start();
    const second = home.make();
    await expect(second.open()).rejects.toMatchObject({
      code: 'storage-locked',
      message: expect.stringContaining(home.directory),
    });
    await first.close();
    await second.open();
    await second.close();
  });

  test('a missing database is an error where one was, and no new one is made', async () => {
    await (await start()).close();
    renameSync(join(home.directory, 'bigpipe.db'), join(home.directory, 'elsewhere'));
    rmSync(join(home.directory, 'bigpipe.db-wal'), { force: true });
    await expect(home.make().open()).rejects.toMatchObject({ code: 'storage-damaged' });
    expect(existsSync(join(home.directory, 'bigpipe.db'))).toBe(false);
  });

  test('a file that is no database is an error', async () => {
    await (await start()).close();
    writeFileSync(join(home.directory, 'bigpipe.db'), 'not a database at all, but long enough to look at'.repeat(100));
    rmSync(join(home.directory, 'bigpipe.db-wal'), { force: true });
    await expect(home.make().open()).rejects.toMatchObject({ code: 'storage-damaged' });
  });
});

describe('a full disk', () => {
  test('appends fail clearly, what was acknowledged stays, and there is room again after retention', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, maxBytes: 8_000_000, retentionMs: 1000, retentionBytes: 1_048_576 });
    let stored = 0;
    const fill = async () => {
      for (;;) {
        await broker.append(many(10, 10_000), -1);
        stored += 10;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'storage-full', retriable: true });
    expect(broker.health().ok).toBe(true);
    expect((await readAll(broker)).received.length).toBe(stored);
    const membership = await broker.join('reader', [topic], new GroupLog());
    await membership.commit({ topic, partition: 0 }, { offset: BigInt(stored), metadata: '' });
    await membership.leave();
    await until('there is room', async () => {
      clock.advance(10_000);
      return broker.append(many(1, 10_000), -1).catch(() => null);
    });
  });

  test('settled messages go before their age when the log is full', async () => {
    const broker = await start({ maxBytes: 8_000_000, retentionMs: 86_400_000 });
    const log = new GroupLog();
    log.onMessages = (membership, { partition, nextOffset }) =>
      void membership.commit({ topic, partition }, { offset: nextOffset, metadata: '' });
    await broker.join('G', [topic], log);
    let isFull = false;
    while (!isFull) await broker.append(many(10, 10_000), -1).catch(() => (isFull = true));
    await until('there is room', () => broker.append(many(1, 10_000), -1).catch(() => null));
  });

  test('a log that is over its bound when it is opened takes no call, and does not grow', async () => {
    const first = await start();
    await first.append(many(100, 100_000), -1);
    await first.close();
    const second = await start({ maxBytes: 8_000_000, clock: new FakeClock() });
    for (let i = 0; i < 3; i += 1) {
      await expect(second.append(many(1, 1000), -1)).rejects.toMatchObject({ code: 'storage-full' });
    }
    expect((await readAll(second)).received.length).toBe(100);
  });

  test('what queued behind a write that found no room fails too, and its offset is given to the next', async () => {
    const broker = await start({ maxBytes: 8_000_000 });
    const answers = await Promise.allSettled([
      broker.append([message(Buffer.alloc(9_000_000))], -1),
      broker.append([message('behind')], -1),
      broker.append([message('beside', 1)], -1),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const [later] = await until('there is room', () => broker.append([message('later')], -1).catch(() => null));
    expect(later?.offset).toBe(0n);
    expect((await readAll(broker)).bodies()).toEqual(['later']);
  });
});

describe('retention', () => {
  test('by age, and never past what a group has not settled', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionMs: 60_000 });
    const membership = await broker.join('G', [topic], new GroupLog());
    await broker.append([message('a')], -1);
    await broker.append([message('b')], -1);
    await membership.commit({ topic, partition: 0 }, { offset: 1n, metadata: '' });
    clock.advance(30_000);
    expect(broker.startOffset({ topic, partition: 0 })).toBe(0n);
    await until('the settled one is gone', () => {
      clock.advance(10_000);
      return broker.startOffset({ topic, partition: 0 }) > 0n;
    });
    for (let i = 0; i < 20; i += 1) clock.advance(10_000);
    expect(broker.startOffset({ topic, partition: 0 })).toBe(1n);
    expect(broker.counters.unsettledRemoved).toBe(0);
  });

  test('one look takes all that may go, however many transactions that needs', { timeout: 60_000 }, async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionMs: 1000 });
    for (let i = 0; i < 600; i += 1) await broker.append([message('a', i % 2)], -1);
    clock.advance(11_000);
    await until('all is gone', () => [0, 1].every((partition) => broker.startOffset({ topic, partition }) === 300n));
  });

  test('by size, the oldest settled first, and the file gets smaller', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionBytes: 2_000_000, tailBytes: 0 });
    for (let i = 0; i < 100; i += 1) await broker.append(many(1, 100_000), -1);
    const pages = () => {
      const reader = new Database(join(home.directory, 'bigpipe.db'), { readonly: true });
      const count = reader.pragma('page_count', { simple: true }) as number;
      reader.close();
      return count;
    };
    const before = pages();
    await until('the old ones are gone', () => {
      clock.advance(10_000);
      return broker.startOffset({ topic, partition: 0 }) > 70n;
    });
    await until('the pages are given back', () => {
      clock.advance(10_000);
      return pages() < before / 2;
    });
    expect((await readAll(broker)).received.length).toBeGreaterThan(10);
  });

  test('the hard limit takes unsettled ones too, and counts them loudly', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionMs: 1000, retentionHardMs: 60_000 });
    await broker.append([message('a'), message('b')], -1);
    await broker.join('G', [topic], new GroupLog());
    await until('they are gone', () => {
      clock.advance(10_000);
      return broker.counters.unsettledRemoved === 2;
    });
    expect(home.reports.join()).toContain('not settled');
  });

  test('a group that was away too long no longer holds anything back', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionMs: 1000, offsetsRetentionMs: 60_000 });
    const membership = await broker.join('gone', [topic], new GroupLog());
    await membership.leave();
    await broker.append([message('a')], -1);
    clock.advance(20_000);
    await until('retention has looked', () => {
      clock.advance(10_000);
      return broker.startOffset({ topic, partition: 0 }) === 1n;
    });
  });

  test('a topic that is to be kept is kept', async () => {
    const clock = new FakeClock();
    const broker = await start({ clock, retentionMs: 1000, retentionBytes: 1_048_576 });
    await broker.ensureTopic({ name: 'letters', partitions: 1, retention: 'keep' });
    await broker.append([{ ...message('a'), topic: 'letters' }, message('b')], -1);
    await until('the other topic is cleaned', () => {
      clock.advance(10_000);
      return broker.startOffset({ topic, partition: 0 }) === 1n;
    });
    expect(broker.startOffset({ topic: 'letters', partition: 0 })).toBe(0n);
  });
});

describe('damage', () => {
  /** Ten chunks of one message each, and a hand on the table they are in. */
  async function damagedLog(damage: (db: Database.Database, table: string) => void): Promise<EmbeddedBroker> {
    const first = await start();
    for (let i = 0; i < 10; i += 1) await first.append([message(`body ${i}`)], -1);
    await first.close();
    const db = new Database(join(home.directory, 'bigpipe.db'));
    damage(db, 'm_1_0');
    db.close();
    return start();
  }

  test('a chunk whose bytes have changed is passed over, counted, noted, and found by a check', async () => {
    const broker = await damagedLog((db, table) => {
      const { d } = db.prepare(`SELECT d FROM ${table} WHERE o = 4`).get() as { d: Buffer };
      d[d.length - 1] = (d.at(-1) as number) ^ 1;
      db.prepare(`UPDATE ${table} SET d = ? WHERE o = 4`).run(d);
    });
    const log = await readAll(broker);
    expect(log.bodies()).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9].map((i) => `body ${i}`));
    expect(broker.counters).toMatchObject({ damagedRanges: 1, damagedMessages: 1 });
    expect(home.reports.join()).toContain('orders/0 offsets 4 to 4 are damaged');
    expect(await broker.check()).toEqual([expect.stringContaining('orders/0 offsets 4 to 4')]);
    await readAll(broker, 'another');
    expect(broker.counters.damagedRanges).toBe(1);
  });

  test('rows that are missing, at the end too, are reported as such', async () => {
    const broker = await damagedLog((db, table) => {
      db.exec(`DELETE FROM ${table} WHERE o IN (2, 3, 7)`);
    });
    expect((await readAll(broker)).bodies()).toEqual([0, 1, 4, 5, 6, 8, 9].map((i) => `body ${i}`));
    expect(broker.counters).toMatchObject({ damagedRanges: 2, damagedMessages: 3 });
  });

  test('a row that moved to another offset is not delivered there', async () => {
    const broker = await damagedLog((db, table) => {
      db.exec(`DELETE FROM ${table} WHERE o = 5; UPDATE ${table} SET o = 5 WHERE o = 6`);
    });
    expect((await readAll(broker)).bodies()).toEqual([0, 1, 2, 3, 4, 7, 8, 9].map((i) => `body ${i}`));
  });
});

test('callers that append at the same time share one write', async () => {
  const broker = await start();
  await Promise.all(Array.from({ length: 200 }, (_, i) => broker.append([message(`${i}`)], -1)));
  await broker.close();
  const db = new Database(join(home.directory, 'bigpipe.db'), { readonly: true });
  const rows = db.prepare('SELECT count(*) FROM m_1_0').pluck().get() as number;
  db.close();
  expect(rows).toBeLessThan(5);
});

test('without fsync the answer says so', async () => {
  const broker = await start({ fsync: false });
  expect([broker.durability(0), broker.durability(1), broker.durability(-1)]).toEqual([
    'none',
    'page-cache',
    'page-cache',
  ]);
  expect((await broker.append([message('a')], -1))[0]?.offset).toBe(0n);
});

test('in memory stands only what somebody who keeps up has yet to read, and nobody misses anything', async () => {
  const broker = await start();
  const kept = () => {
    const { topics } = broker as unknown as {
      topics: Map<string, { partitions: { tail: { messages: unknown[] } }[] }>;
    };
    return topics.get(topic)?.partitions[0]?.tail.messages.filter((one) => one !== undefined).length;
  };
  const log = new GroupLog();
  const membership = await broker.join('G', [topic], log);
  let sent = 0;
  const append = async (count: number) => {
    await broker.append(
      Array.from({ length: count }, (_, i) => message(`${sent + i}`)),
      -1,
    );
    sent += count;
  };
  const allRead = () => until('all is read', () => log.received.length === sent);
  for (let i = 0; i < 200; i += 1) {
    await append(1);
    await allRead();
  }
  expect(kept()).toBeLessThan(32);
  membership.pause({ topic, partition: 0 });
  for (let i = 0; i < 8; i += 1) await append(500);
  expect(kept()).toBe(0);
  membership.resume({ topic, partition: 0 });
  await allRead();
  for (let i = 0; i < 100; i += 1) await append(1);
  await allRead();
  expect(kept()).toBeGreaterThan(0);
  expect(log.bodies(0)).toEqual(Array.from({ length: sent }, (_, i) => `${i}`));
});
