// Killed with leases out: what was not acked comes again, nothing is lost, and the order of each key is kept.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { sendLines } from '../support/messages-door.js';
import { type Pulled, Puller, textOf } from '../support/puller.js';
import { until } from '../support/until.js';

/** PULL_MESSAGES=20000 PULL_KILLS=10 for a longer one. */
const messages = Number(process.env['PULL_MESSAGES'] ?? 300);
const keys = 12;
const pullers = 4;
const kills = Number(process.env['PULL_KILLS'] ?? 1);

let bigpipe: BigpipeProcess;

afterEach(() => bigpipe.dispose());

/** What was fetched and acked, key by key. */
class Books {
  readonly acked = new Set<string>();
  readonly faults: string[] = [];
  /** By key: the highest one that somebody has had, or has been about to ack. */
  private readonly highest = new Map<string, { had: number; acked: number }>();

  had(message: Pulled): void {
    const [key, number] = placeOf(message);
    const seen = this.highest.get(key) ?? { had: -1, acked: -1 };
    this.highest.set(key, seen);
    if (number > seen.acked + 1) this.faults.push(`${key}: ${number} came before ${seen.acked + 1} was acked`);
    // A repeat says that it is one.
    if (number <= seen.had && message.redelivery === undefined)
      this.faults.push(`${key}: ${number} came again unnamed`);
    seen.had = Math.max(seen.had, number);
  }

  acking(message: Pulled): void {
    const [key, number] = placeOf(message);
    const seen = this.highest.get(key);
    if (seen !== undefined) seen.acked = Math.max(seen.acked, number);
  }
}

function placeOf(message: Pulled): [key: string, number: number] {
  const [key = '', number] = textOf(message).split(' ');
  return [key, Number(number)];
}

const start = (directory?: string) =>
  BigpipeProcess.start({
    config: baseConfig({
      'kafka.producer.acl': [{ name: 'system-1', secret: 'i am good', topic: 'test', pull: ['G1'] }],
      'kafka.consumer.list': [
        baseConsumer({ delivery: 'pull', timeout: 600_000, retries: 100, retryBackoff: [1], concurrency: keys }),
      ],
      ...(directory === undefined ? {} : { 'broker.embedded.directory': `${directory}/data` }),
    }),
    ...(directory === undefined ? {} : { directory }),
  });

/** Fetches and acks until its bigpipe is gone, or all is done; every fifth message it holds, and gives back others. */
async function work(books: Books, isOver: () => boolean): Promise<readonly Pulled[]> {
  const puller = new Puller(bigpipe.origin);
  const held: Pulled[] = [];
  try {
    while (!isOver()) {
      const got = await puller.pull({ max: 5, waitSeconds: 1 });
      for (const [i, message] of got.entries()) {
        books.had(message);
        if (i % 5 === 4) {
          await puller.nack([message], { delaySeconds: 0 });
          continue;
        }
        // Killed in between, it was done and comes again.
        books.acking(message);
        const { status } = await puller.ack(message);
        if (status === 200) books.acked.add(textOf(message));
        else held.push(message);
      }
    }
  } catch (error) {
    if (!String(error).includes('fetch failed') && !String(error).includes('terminated')) throw error;
  }
  return held;
}

test('kill -9 while leases are out', async () => {
  bigpipe = await start();
  const { directory } = bigpipe;
  const books = new Books();
  const lines = Array.from({ length: messages }, (_, i) => {
    const key = `k${i % keys}`;
    return { topic: 'test', key, data: `${key} ${Math.floor(i / keys)}` };
  });
  await sendLines(bigpipe, lines);
  for (let kill = 1; kill <= kills; kill += 1) {
    const working = Array.from({ length: pullers }, () => work(books, () => false));
    await until('some are acked', () => books.acked.size >= (messages * kill) / (kills + 2), 60_000);
    const [kept] = await new Puller(bigpipe.origin).pull({ max: 1 });
    expect(await bigpipe.end('SIGKILL')).toBe('SIGKILL');
    await Promise.all(working);
    bigpipe = await start(directory);
    if (kept === undefined) continue;
    // Whose lease died with the process is told so, and the message is not done.
    expect(await new Puller(bigpipe.origin).ack(kept)).toMatchObject({ status: 409, body: { code: 'lease-lost' } });
  }
  const isOver = () => books.acked.size === messages;
  await Promise.all(Array.from({ length: pullers }, () => work(books, isOver)));
  await until('all are acked', isOver, 60_000);
  expect(books.faults).toEqual([]);
  expect(await new Puller(bigpipe.origin).pull({ waitSeconds: 0 })).toEqual([]);
}, 240_000);
