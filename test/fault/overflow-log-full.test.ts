// The log is full, or becomes so, while a dead receiver's messages leave their windows: nothing is lost, and all goes on once there is room.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Config } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { MortalTarget } from '../support/mortal-target.js';
import { until } from '../support/until.js';
import { subscriptionStats } from '../support/why-waiting.js';

const megabyte = 1_048_576;
const keys = 20;
const bodyBytes = 300;

let sick: MortalTarget;
let well: MortalTarget;
let held: MortalTarget;
let ledger: Ledger;
let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  await Promise.all([sick, well, held].map((target) => target.close()));
});

async function begin(): Promise<void> {
  ledger = new Ledger();
  [sick, well, held] = await Promise.all([
    MortalTarget.start('fails'),
    MortalTarget.start(),
    MortalTarget.start('silent'),
  ]);
}

const configOf = (consumers: readonly Config[]): Config =>
  baseConfig({
    'kafka.topics': [{ name: 'test', partitions: 1 }],
    'broker.embedded.max.bytes': 6 * megabyte,
    'broker.embedded.retention.ms': 1000,
    'kafka.consumer.list': consumers,
  });

const consumer = baseConsumer({ retries: 1000, retryBackoff: [100], timeout: 60_000 });

/** Nine of ten calls to the sick one, each key's one after another. */
async function callUntilFull(process: BigpipeProcess): Promise<void> {
  let isFull = false;
  const callOfKey = async (key: number) => {
    let [toSick, toWell] = [0, 0];
    for (let i = 0; !isFull; i += 1) {
      const isWell = i % 10 === 9;
      const id = isWell ? `well-${key}-${toWell}` : `sick-${key}-${toSick}`;
      const url = isWell ? well.url : sick.url;
      const isTaken = await ledger.call(process, id, {
        url,
        partition_key: `k${key}`,
        data: id.padEnd(bodyBytes, '.'),
      });
      if (!isTaken) isFull = true;
      else if (isWell) toWell += 1;
      else toSick += 1;
    }
  };
  await Promise.all(Array.from({ length: keys }, (_, key) => callOfKey(key)));
  ledger.hangUp();
  for (const refusal of ledger.refused.values()) expect(refusal.error).toBe('storage-full');
}

const countOf = (name: string) => [...ledger.accepted].filter((id) => id.startsWith(name)).length;

async function tellBacklog(process: BigpipeProcess): Promise<void> {
  const { backlog } = await subscriptionStats(process);
  console.log(`${ledger.accepted.size} calls; ${well.delivered} delivered; the backlog: ${JSON.stringify(backlog)}`);
}

/** The receiver is back: everything comes, in order and once, and calls are taken again. */
async function expectAll(process: BigpipeProcess): Promise<void> {
  await sick.become('well');
  try {
    await until(
      'everything accepted is delivered',
      () => sick.delivered === countOf('sick') && well.delivered === countOf('well'),
      15_000,
    );
  } finally {
    await tellBacklog(process);
  }
  await until('a call is taken again', () => ledger.call(process, 'later-0', { url: well.url }));
  expect([...sick.faults, ...well.faults]).toEqual([]);
  expect([sick.repeats, well.repeats]).toEqual([0, 0]);
}

test('a log that becomes full in the middle of it loses nothing, and goes on when the receiver is back', async () => {
  await begin();
  bigpipe = await BigpipeProcess.start({ config: configOf([consumer]) });
  await callUntilFull(bigpipe);
  await tellBacklog(bigpipe);
  await expectAll(bigpipe);
});

// What is on its way to the overflow goes back when the full log refuses it: no room comes before it is settled.
test('a log that is full before the first message leaves its window goes on when the receiver is back', async () => {
  await begin();
  // Who waits for the subscription's own limit does not leave the window.
  const storing = await BigpipeProcess.start({ config: configOf([{ ...consumer, rateLimit: 0.01, timeout: 1 }]) });
  bigpipe = storing;
  // While the first of all has no answer, nothing behind it is settled, and retention makes no room.
  await ledger.call(storing, 'held-0', { url: held.url });
  await callUntilFull(storing);
  expect(await storing.end('SIGTERM')).toBe(0);
  const { directory } = storing;
  const data = { 'broker.embedded.directory': `${directory}/data` };
  bigpipe = await BigpipeProcess.start({ config: { ...configOf([consumer]), ...data }, directory });
  const { log } = bigpipe;
  await until('the overflow is refused', () =>
    log.some(({ msg }) => String(msg).startsWith('a message could not be moved')),
  );
  await held.become('gone');
  await held.become('well');
  await tellBacklog(bigpipe);
  await expectAll(bigpipe);
});
