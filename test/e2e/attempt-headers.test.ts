// bigpipe-attempt, bigpipe-max-attempts, bigpipe-redelivery: a receiver can tell a repeat, and why it comes.
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { HeldTarget } from '../support/held-target.js';
import { databaseOf } from '../support/stored-log.js';
import { type Arrival, TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';
import { accepted } from '../support/why-waiting.js';

let bigpipe: BigpipeProcess | undefined;
let close: () => Promise<void> = () => Promise.resolve();

afterEach(async () => {
  await bigpipe?.dispose();
  bigpipe = undefined;
  await close();
});

const configOf = (consumer: Record<string, unknown>) =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'kafka.consumer.list': [baseConsumer({ retryBackoff: [1], ...consumer })],
  });

/** Attempt, of how many, and why it is a repeat. */
const told = ({ headers }: Arrival) => [
  headers['bigpipe-attempt'],
  headers['bigpipe-max-attempts'],
  headers['bigpipe-redelivery'],
];

const arrivalsOf = (arrivals: readonly Arrival[], id: string) =>
  arrivals.filter(({ headers }) => headers['bigpipe-message-id'] === id);

/** Resolves once the commit of the one partition is as wanted. */
async function untilCommitted(directory: string, holds: (position: number, metadata: string) => boolean) {
  const db = new Database(databaseOf(directory), { readonly: true, timeout: 5000 });
  try {
    const read = db.prepare(
      "SELECT position, metadata FROM commits JOIN topics ON topics.id = topic WHERE topics.name = 'test' AND partition = 0",
    );
    await until('the commit is on disk', () => {
      const row = read.get() as { position: number; metadata: string } | undefined;
      return row !== undefined && holds(row.position, row.metadata);
    });
  } finally {
    db.close();
  }
}

test('the first attempt says nothing of a repeat, each later one says how the one before it ended', async () => {
  const target = await TargetServer.start(({ headers }, response, socket) => {
    switch (headers['bigpipe-attempt']) {
      case '1':
        response.writeHead(503).end();
        return;
      case '2':
        socket.destroy();
        return;
      case '3':
        // Never answered.
        return;
      default:
        response.end();
    }
  });
  close = () => target.close();
  bigpipe = await BigpipeProcess.start({ config: configOf({ retries: 4, timeout: 5000 }) });
  await accepted(bigpipe.call({ id: 'one', url: target.url(), partition_key: 'k' }));
  await until('it is delivered', () => target.arrivals.length === 4);
  expect(target.arrivals.map(told)).toEqual([
    ['1', '5', undefined],
    ['2', '5', 'status'],
    ['3', '5', 'connection'],
    ['4', '5', 'timeout'],
  ]);
});

test('a caller cannot say that his call is a repeat, or which attempt it is', async () => {
  const target = await TargetServer.start();
  close = () => target.close();
  bigpipe = await BigpipeProcess.start({ config: configOf({}) });
  const names = ['bigpipe-redelivery', 'bigpipe-attempt', 'bigpipe-max-attempts'];
  for (const name of names) {
    const answer = await bigpipe.call({ url: target.url(), headers: { [name]: 'crash' } });
    expect([name, answer.body.errno]).toEqual([name, -1]);
  }
  await accepted(bigpipe.call({ url: target.url() }));
  await until('the plain one arrives', () => target.arrivals.length > 0);
  expect(target.arrivals.map(told)).toEqual([['1', '3', undefined]]);
});

test('after kill -9 what was in flight comes again as a crash, what was settled does not come, and what is new is new', async () => {
  const target = await HeldTarget.start();
  close = () => target.close();
  bigpipe = await BigpipeProcess.start({ config: configOf({ timeout: 60_000 }) });
  const { directory } = bigpipe;
  await accepted(bigpipe.call({ id: 'in-flight', url: target.url() }));
  await target.untilWaiting('in-flight');
  await accepted(bigpipe.call({ id: 'settled', url: target.url() }));
  await target.untilWaiting('settled');
  target.answer('settled');
  // The second of the two messages is settled behind the first; these two are named as handed out, and some ahead.
  await untilCommitted(directory, (position, metadata) => position === 0 && /^2:c\w+:1\.1~/.test(metadata));
  expect(await bigpipe.end('SIGKILL')).toBe('SIGKILL');
  target.open();

  bigpipe = await BigpipeProcess.start({ directory });
  const repeated = () => arrivalsOf(target.arrivals, 'in-flight');
  await until('it comes again', () => repeated().length === 2);
  expect(repeated().map(told)).toEqual([
    ['1', '3', undefined],
    ['1', '3', 'crash'],
  ]);
  // The dead process may have handed out what was stored before the start, and this was not.
  await accepted(bigpipe.call({ id: 'new', url: target.url() }));
  await until('the new one arrives', () => arrivalsOf(target.arrivals, 'new').length === 1);
  expect(arrivalsOf(target.arrivals, 'new').map(told)).toEqual([['1', '3', undefined]]);
  expect(arrivalsOf(target.arrivals, 'settled')).toHaveLength(1);
});

test('after SIGTERM what a receiver held beyond the timeout comes again as a rebalance, and nothing else does', async () => {
  const target = await HeldTarget.start();
  close = () => target.close();
  bigpipe = await BigpipeProcess.start({ config: configOf({ timeout: 1000, retries: 100, concurrency: 1 }) });
  const { directory } = bigpipe;
  await accepted(bigpipe.call({ id: 'outlasts', url: target.url() }));
  await target.untilWaiting('outlasts');
  // Never sent by this process: no repeat.
  await accepted(bigpipe.call({ id: 'behind', url: target.url() }));
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  const before = arrivalsOf(target.arrivals, 'outlasts').length;
  target.open();

  bigpipe = await BigpipeProcess.start({ directory });
  await until('both arrive', () => arrivalsOf(target.arrivals, 'behind').length === 1);
  await until('it comes again', () => arrivalsOf(target.arrivals, 'outlasts').length === before + 1);
  expect(arrivalsOf(target.arrivals, 'outlasts').slice(before).map(told)).toEqual([['1', '101', 'rebalance']]);
  expect(arrivalsOf(target.arrivals, 'behind').map(told)).toEqual([['1', '101', undefined]]);
});

// The mark is written ahead of the messages: when it was only written after them, this was a first attempt to the receiver.
test('a message that was in flight when the process was killed comes again as a crash, however soon that was', async () => {
  let kill: (() => void) | null = null;
  const target = await TargetServer.start((_arrival, response) => {
    if (kill === null) response.end();
    else kill();
  });
  close = () => target.close();
  // On a slow machine a round may be too slow to hit the gap.
  for (let round = 0; round < 3; round += 1) {
    bigpipe = await BigpipeProcess.start({ config: configOf({ timeout: 60_000 }) });
    const { directory, child, exited } = bigpipe;
    await accepted(bigpipe.call({ id: `before-${round}`, url: target.url() }));
    await untilCommitted(directory, (position, metadata) => position === 1 && /^2:c\w+:~/.test(metadata));
    kill = () => child.kill('SIGKILL');
    // Its answer may not come any more.
    await bigpipe.call({ id: `killed-${round}`, url: target.url() }).catch(() => undefined);
    expect(await exited).toBe('SIGKILL');
    kill = null;
    bigpipe = await BigpipeProcess.start({ directory });
    const arrivals = () => arrivalsOf(target.arrivals, `killed-${round}`);
    await until('it comes again', () => arrivals().length === 2);
    expect(arrivals().map(({ headers }) => headers['bigpipe-redelivery'])).toEqual([undefined, 'crash']);
    await bigpipe.dispose();
  }
});
