// Poison, dead receivers, full windows, long waits, dead letters and redrives, and the program is killed again and again: the receivers keep the ledger.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { askManagement, keptLetters, lettersPlace, startRedrive, untilRedriven } from '../support/dead-letters-page.js';
import { Ledger } from '../support/ledger.js';
import { type Health, MortalTarget, noLane } from '../support/mortal-target.js';
import { Seeded } from '../support/seeded.js';
import { hasConnections } from '../support/sockets.js';
import { until } from '../support/until.js';
import { type SubscriptionStats, subscriptionStats, untilBacklog } from '../support/why-waiting.js';

/** KILLS=… for a long run. */
const kills = Number(process.env['KILLS'] ?? 10);
/** SEED=… runs one again. */
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
const keys = 60;
const callsOfKey = 8;
/** Before the first kill. 80 of them fill the windows, so that much waits in the overflow. */
const firstCallsOfKey = Number(process.env['FIRST_CALLS'] ?? 80);
const destinations = 4;
/** These get most of the calls, and are often dead. */
const sickly = 2;
/** One of so many calls is refused for as long as it is poisoned. */
const poisonShare = 60;
const moments = ['at once', 'while calls come', 'while keys are parked', 'while letters are sent again'] as const;

const seeded = new Seeded(seed);
const random = (below: number) => seeded.below(below);
const ledger = new Ledger();
const targets: MortalTarget[] = [];
/** The number of each lane's next call. */
const next = new Map<string, number>();
/** Ids that are answered 400. */
const poisoned = new Set<string>();
const seen = { parked: 0, letters: 0, overflow: 0, delayed: 0, redriven: 0 };
let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  for (const target of targets) await target.close();
});

const idOf = (destination: number, lane: string, number: number) => `${destination}${lane}-${number}`;

/** One after another, until the program has gone. */
async function callOfKey(running: BigpipeProcess, key: number, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const number = random(4) > 0 ? random(sickly) : random(destinations);
    const isFree = random(8) === 0;
    const place = `${number} ${isFree ? noLane : key}`;
    const mine = next.get(place) ?? 0;
    next.set(place, mine + 1);
    const id = isFree ? `${noLane}-${number}${String(mine).padStart(6, '0')}` : idOf(number, `k${key}`, mine);
    if (random(poisonShare) === 0) poisoned.add(id);
    const { url } = targets[number] as MortalTarget;
    if (!(await ledger.call(running, id, { url, partition_key: isFree ? '' : `k${key}` }))) return;
  }
}

const sicknesses: readonly Health[] = ['fails', 'silent', 'gone'];

async function changeHealth(number: number): Promise<void> {
  const isWell = random(4) < (number < sickly ? 2 : 3);
  await (targets[number] as MortalTarget).become(isWell ? 'well' : (sicknesses[random(3)] as Health));
}

const attempts = () => targets.reduce((sum, target) => sum + target.arrivals, 0);
const deliveredNow = () => targets.reduce((sum, target) => sum + target.delivered, 0);

/** What may be seen of it before it is killed. */
async function note(running: BigpipeProcess): Promise<void> {
  const [{ open, parkedKeys }, { backlog }] = [await keptLetters(running), await pageOf(running)];
  seen.letters = Math.max(seen.letters, open);
  seen.parked = Math.max(seen.parked, parkedKeys.length);
  seen.overflow = Math.max(seen.overflow, backlog['overflow'] ?? 0);
  seen.delayed = Math.max(seen.delayed, backlog['delayed'] ?? 0);
}

const pageOf = (running: BigpipeProcess): Promise<SubscriptionStats> =>
  until('the page is there', () => subscriptionStats(running).catch(() => null));

async function untilKill(running: BigpipeProcess, calling: Promise<unknown>): Promise<string> {
  const moment = moments[random(moments.length)] as (typeof moments)[number];
  const isOver = { is: false };
  void calling.then(() => {
    isOver.is = true;
  });
  const most = ledger.accepted.size + random(keys * callsOfKey);
  if (moment !== 'at once') await until('some calls were taken', () => isOver.is || ledger.accepted.size >= most);
  if (moment === 'while keys are parked') {
    await calling;
    const endMs = performance.now() + random(3000);
    await until('a key is parked', async () => performance.now() > endMs || (await keptLetters(running)).open > 0);
  }
  if (moment === 'while letters are sent again') {
    for (const id of poisoned) if (random(2) === 0) poisoned.delete(id);
    const before = attempts();
    await startRedrive(running, { rate: random(2) === 0 ? 100_000 : 200, canary: 1, abortIfFailRate: 1 });
    const goal = before + random(400);
    const endMs = performance.now() + 3000;
    await until('some were sent', () => performance.now() > endMs || attempts() >= goal);
    seen.redriven += attempts() > before ? 1 : 0;
    if (random(4) === 0) await askManagement(running, 'DELETE', `${lettersPlace}/redrive`);
  }
  return moment;
}

test(`${kills} kills among poison, parked keys, sick receivers and redrives: nothing lost, no key out of order`, async () => {
  console.log(`SEED=${seed}`);
  for (let i = 0; i < destinations; i += 1) {
    const target = await MortalTarget.start();
    target.isBad = () => random(50) === 0;
    target.isRefused = (id) => poisoned.has(id);
    target.mayBeMissing = (id) => !ledger.accepted.has(id);
    targets.push(target);
  }
  bigpipe = await BigpipeProcess.start({
    config: baseConfig({
      'kafka.topics': [{ name: 'test', partitions: 2 }],
      'kafka.consumer.list': [
        baseConsumer({
          concurrency: 50,
          retries: 2,
          timeout: 300,
          // The last one is long enough to wait on disk.
          retryBackoff: [50, 11_000],
          retryBudget: { percent: 100 },
          poison: 'park',
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
    if (kill === 1) await calling;
    const moment = await untilKill(running, calling);
    await note(running);
    running.child.kill('SIGKILL');
    expect(await running.exited).toBe('SIGKILL');
    await calling;
    ledger.hangUp();
    for (const { url } of targets) {
      await until('its connections are gone', async () => !(await hasConnections(Number(new URL(url).port))));
    }
    for (const target of targets) target.life = kill;
    console.log(
      `kill ${kill} ${moment}: ${ledger.accepted.size} taken, ${deliveredNow()} delivered; ` +
        `${targets.map(({ health }) => health).join(' ')}; most so far ${JSON.stringify(seen)}`,
    );
    bigpipe = await BigpipeProcess.start({ directory });
  }
  for (const target of targets) await target.become('well');
  poisoned.clear();
  const last = bigpipe;
  const missing = () => {
    const wasDelivered = (id: string) => targets.some((target) => target.wasDelivered(id));
    return [...ledger.accepted].filter((id) => !wasDelivered(id));
  };
  const endMs = performance.now() + 120_000;
  let rounds = 0;
  // Letters may still be written while a redrive runs.
  await until(
    'nothing is missing',
    async () => {
      if ((await keptLetters(last)).open > 0) {
        await startRedrive(last, { rate: 100_000, canary: 1, abortIfFailRate: 1 });
        const report = await untilRedriven(last, 60_000);
        rounds += 1;
        if (report.state !== 'done') throw new Error(JSON.stringify(report));
      }
      return missing().length === 0 || performance.now() > endMs;
    },
    150_000,
  );
  expect(missing()).toEqual([]);
  await untilBacklog(last, {});
  await until('no letter is left', async () => {
    const { open, parkedKeys } = await keptLetters(last);
    if (open === 0 && parkedKeys.length === 0) return true;
    await startRedrive(last, { rate: 100_000, canary: 1, abortIfFailRate: 1 });
    return false;
  });
  const sum = (of: (target: MortalTarget) => number) => targets.reduce((all, target) => all + of(target), 0);
  const repeats = Object.entries(
    Object.groupBy(
      targets.flatMap(({ repeatCauses }) => repeatCauses),
      (cause) => cause,
    ),
  )
    .map(([cause, all]) => `${cause} ${all?.length}`)
    .join(', ');
  console.log(
    `SEED=${seed} ${kills} kills: ${ledger.accepted.size} taken, ${ledger.unknown.size} unknown, ${deliveredNow()} delivered, ` +
      `${missing().length} lost, ${sum(({ faults }) => faults.length)} faults, ${attempts()} attempts, repeats: ${repeats}; ` +
      `${rounds} last redrives; most ${JSON.stringify(seen)}; ${sum(({ withoutCrash }) => withoutCrash)} twice from one owner`,
  );
  expect(targets.flatMap(({ faults }) => faults)).toEqual([]);
  expect(sum(({ withoutCrash }) => withoutCrash)).toBe(0);
  expect(await last.end('SIGTERM')).toBe(0);
}, 1_500_000);
