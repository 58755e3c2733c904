// Receivers die and come back at random while messages leave full windows and return, and the program is killed ten times.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Stats } from '../support/bigpipe-process.js';
import { Ledger } from '../support/ledger.js';
import { type Health, MortalTarget, noLane } from '../support/mortal-target.js';
import { Seeded, seedOfRun } from '../support/seeded.js';
import { hasConnections } from '../support/sockets.js';
import { untilStats } from '../support/stats-page.js';
import { until } from '../support/until.js';
import { type SubscriptionStats, untilBacklog } from '../support/why-waiting.js';

const kills = 10;
const keys = 100;
/** Calls of a key between two kills, if it comes to all of them; more before the first, so that windows are full. */
const callsOfKey = 10;
const firstCallsOfKey = 40;
const concurrency = 50;
const destinations = 4;
/** These get most of the calls, and are dead most of the time. */
const sickly = 2;
/** A kill repeats what was in flight, and what settled since the last commit. */
const repeatsOfKill = concurrency + 100;
const seed = seedOfRun();

const seeded = new Seeded(seed);
const random = (below: number) => seeded.below(below);
const ledger = new Ledger();
const targets: MortalTarget[] = [];
/** The number of each lane's next call. */
const next = new Map<string, number>();
let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  for (const target of targets) await target.close();
});

const sicknesses: readonly Health[] = ['fails', 'silent', 'gone'];

async function changeHealth(number: number): Promise<void> {
  const isWell = random(4) < (number < sickly ? 1 : 3);
  await (targets[number] as MortalTarget).become(isWell ? 'well' : (sicknesses[random(3)] as Health));
}

/** One after another, until the program has gone. */
async function callOfKey(running: BigpipeProcess, key: number, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const number = random(4) > 0 ? random(sickly) : random(destinations);
    const lane = random(8) === 0 ? noLane : `k${key}`;
    const place = `${number} ${lane}`;
    const mine = next.get(place) ?? 0;
    next.set(place, mine + 1);
    const { url } = targets[number] as MortalTarget;
    const fields = { url, partition_key: lane === noLane ? '' : lane };
    if (!(await ledger.call(running, idOf(number, lane, mine), fields))) return;
  }
}

const idOf = (destination: number, lane: string, number: number) =>
  lane === noLane ? `${noLane}-${destination}${String(number).padStart(6, '0')}` : `${destination}${lane}-${number}`;

const attemptsIn = ({ clientStats }: Stats) => {
  const { rpcSuccess = 0, rpcRetries = 0 } = clientStats['test'] ?? {};
  return rpcSuccess + rpcRetries;
};

const backlogOf = (stats: Stats) =>
  (
    (stats as unknown as { readonly subscriptionStats: readonly SubscriptionStats[] })
      .subscriptionStats[0] as SubscriptionStats
  ).backlog;

/** At a random moment of a random kind: while calls come in, or a number of attempts later, or that behind the first overflow. */
async function untilKill(running: BigpipeProcess, calling: Promise<unknown>): Promise<void> {
  const kind = random(4);
  if (kind === 0) {
    const most = ledger.accepted.size + random(keys * callsOfKey);
    let isOver = false;
    void calling.then(() => {
      isOver = true;
    });
    await until('so many calls were taken', () => isOver || ledger.accepted.size >= most);
    return;
  }
  await calling;
  const now = await untilStats(running, 'something is in the overflow', (stats) => {
    const { overflow, unread } = backlogOf(stats);
    return kind === 1 || overflow !== 0 || unread === 0;
  });
  const attempts = attemptsIn(now) + random(1000);
  // Silent receivers are asked ever more rarely: where all that waits is for them, nothing more is to be seen.
  await untilStats(running, 'so many attempts were made', (stats) => {
    const { inFlight, retry, ready } = backlogOf(stats);
    return attemptsIn(stats) >= attempts || (inFlight === 0 && retry === 0 && ready === 0);
  });
}

const deliveredNow = () => targets.reduce((sum, { delivered }) => sum + delivered, 0);

test(`${kills} kills among receivers that die and come back: nothing lost, no key out of order, repeats named`, async () => {
  console.log(`SEED=${seed}`);
  for (let i = 0; i < destinations; i += 1) {
    const target = await MortalTarget.start();
    target.isBad = () => random(50) === 0;
    target.mayBeMissing = (id) => !ledger.accepted.has(id);
    targets.push(target);
  }
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 2 }],
      'kafka.consumer.list': [
        baseConsumer({
          concurrency,
          retries: 1000,
          timeout: 300,
          retryBackoff: [20, 100, 300],
          retryBudget: { percent: 100 },
        }),
      ],
    }),
  });
  const { directory } = bigpipe;
  for (let kill = 1; kill <= kills; kill += 1) {
    const running: BigpipeProcess = bigpipe;
    for (let number = 0; number < destinations; number += 1) await changeHealth(number);
    const count = kill === 1 ? firstCallsOfKey : callsOfKey;
    const calling = Promise.all(Array.from({ length: keys }, (_, key) => callOfKey(running, key, count)));
    const changing = random(keys * callsOfKey) + ledger.accepted.size;
    const halfway = until(
      'it is time for a change',
      () => ledger.accepted.size >= changing || running.child.killed,
    ).then(() => changeHealth(random(sickly)));
    await untilKill(running, calling);
    const last = await untilStats(running, 'the page is there', () => true);
    running.child.kill('SIGKILL');
    expect(await running.exited).toBe('SIGKILL');
    await Promise.all([calling, halfway]);
    ledger.hangUp();
    for (const { url } of targets) {
      await until('its connections are gone', async () => !(await hasConnections(Number(new URL(url).port))));
    }
    for (const target of targets) target.life = kill;
    const repeats = targets.reduce((sum, one) => sum + one.repeats, 0);
    console.log(
      `kill ${kill}: ${ledger.accepted.size} taken, ${deliveredNow()} delivered, ${repeats} repeats so far, ` +
        `${targets.map(({ health }) => health).join(' ')}; ${JSON.stringify(backlogOf(last))}`,
    );
    bigpipe = await BigpipeProcess.start({ directory });
  }
  for (const target of targets) await target.become('well');
  const missing = () => {
    const delivered = (id: string) => targets.some((target) => target.wasDelivered(id));
    return [...ledger.accepted].filter((id) => !delivered(id));
  };
  await until(
    'everything is delivered',
    () => deliveredNow() >= ledger.accepted.size && missing().length === 0,
    60_000,
  ).catch(() => undefined);
  expect(missing()).toEqual([]);
  await untilBacklog(bigpipe, {});
  const repeats = targets.reduce((sum, one) => sum + one.repeats, 0);
  console.log(
    `${ledger.accepted.size} taken, ${ledger.unknown.size} unknown, ${deliveredNow()} delivered, ${repeats} repeats`,
  );
  const withoutCrash = targets.reduce((sum, one) => sum + one.withoutCrash, 0);
  console.log(`${withoutCrash} of them came twice from one owner`);
  expect(targets.flatMap(({ faults }) => faults)).toEqual([]);
  expect(repeats).toBeLessThanOrEqual(kills * repeatsOfKill);
  expect(withoutCrash).toBe(0);
  expect(await bigpipe.end('SIGTERM')).toBe(0);
}, 120_000);
