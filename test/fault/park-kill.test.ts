// Hundreds of keys, one of them poisoned: it alone waits, and comes back in its order although the program is killed while parking and while sending again.
import { afterEach, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { keptLetters, startRedrive, untilRedriven } from '../support/dead-letters-page.js';
import { Ledger } from '../support/ledger.js';
import { MortalTarget } from '../support/mortal-target.js';
import { Seeded } from '../support/seeded.js';
import { hasConnections } from '../support/sockets.js';
import { until } from '../support/until.js';

const keys = 200;
const callsOfKey = 4;
/** As many calls in one life go to the poisoned key. */
const callsOfPoisoned = 60;
const poisoned = 'k0';
/** From this number on its calls are refused while it is poisoned. */
const poisonedFrom = 3;
const concurrency = 50;
const parkingKills = 2;
const redriveKills = 2;
/** SEED=… runs one again. */
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);

const seeded = new Seeded(seed);
const random = (below: number) => seeded.below(below);
const ledger = new Ledger();
const next = new Map<string, number>();
let target: MortalTarget;
let bigpipe: BigpipeProcess | undefined;

afterEach(async () => {
  ledger.hangUp();
  await bigpipe?.dispose();
  await target.close();
});

/** One after another, until the program has gone. */
async function callOfKey(running: BigpipeProcess, key: string, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const number = next.get(key) ?? 0;
    next.set(key, number + 1);
    if (!(await ledger.call(running, `${key}-${number}`, { url: target.url, partition_key: key }))) return;
  }
}

const callOfAll = (running: BigpipeProcess) =>
  Promise.all(
    Array.from({ length: keys }, (_, i) => callOfKey(running, `k${i}`, i === 0 ? callsOfPoisoned : callsOfKey)),
  );

async function killAndStart(running: BigpipeProcess, calling: Promise<unknown>): Promise<BigpipeProcess> {
  running.child.kill('SIGKILL');
  expect(await running.exited).toBe('SIGKILL');
  await calling;
  ledger.hangUp();
  await until('its connections are gone', async () => !(await hasConnections(Number(new URL(target.url).port))));
  target.life += 1;
  bigpipe = await BigpipeProcess.start({ directory: running.directory });
  return bigpipe;
}

const missing = (of: (id: string) => boolean) =>
  [...ledger.accepted].filter((id) => of(id) && !target.wasDelivered(id));
const isPoisoned = (id: string) => id.startsWith(`${poisoned}-`);
const openLetters = async (running: BigpipeProcess) => (await keptLetters(running)).open;

test(`one poisoned key of ${keys}, ${parkingKills + redriveKills} kills: the others go on, and it comes back in its order`, async () => {
  console.log(`SEED=${seed}`);
  target = await MortalTarget.start();
  target.mayBeMissing = (id) => !ledger.accepted.has(id);
  let isWell = false;
  target.isRefused = (id) => !isWell && isPoisoned(id) && Number(id.split('-')[1]) >= poisonedFrom;
  let running = await BigpipeProcess.start({
    config: baseConfig({ 'kafka.consumer.list': [baseConsumer({ concurrency, retries: 0, poison: 'park' })] }),
  });
  bigpipe = running;
  for (let kill = 0; kill < parkingKills; kill += 1) {
    const killed: BigpipeProcess = running;
    const calling = callOfAll(killed);
    const before = kill === 0 ? 0 : await openLetters(killed);
    const more = 1 + random(callsOfPoisoned / 2);
    await until('so many follow', async () => (await openLetters(killed)) >= before + more);
    running = await killAndStart(killed, calling);
  }
  await callOfAll(running);
  await until('all others are delivered', () => missing((id) => !isPoisoned(id)).length === 0);
  const parked = missing(isPoisoned).length;
  const { open, parkedKeys } = await until('all of it stand among the dead letters', async () => {
    const letters = await keptLetters(running);
    return letters.open >= parked ? letters : null;
  });
  expect(parkedKeys.map(({ key }) => key)).toEqual([poisoned]);
  expect(target.wasDelivered(`${poisoned}-${poisonedFrom}`)).toBe(false);
  isWell = true;
  for (let kill = 0; kill < redriveKills; kill += 1) {
    const killed: BigpipeProcess = running;
    const goal = missing(isPoisoned).length - 1 - random(30);
    await startRedrive(killed, { rate: 100, canary: 1 });
    const calling = callOfAll(killed);
    await until('some have come back', () => missing(isPoisoned).length <= goal);
    running = await killAndStart(killed, calling);
  }
  await callOfAll(running);
  const last = running;
  await until('nothing is left', async () => {
    const now = await keptLetters(last);
    if (now.open === 0 && now.parkedKeys.length === 0) return true;
    await startRedrive(last, { rate: 100_000, canary: 1 });
    expect(await untilRedriven(last)).toMatchObject({ state: 'done', failed: 0, held: 0 });
    return false;
  });
  await until('all are delivered', () => missing(() => true).length === 0);
  const { repeats, delivered, faults, withoutCrash } = target;
  console.log(
    `${ledger.accepted.size} taken, ${delivered} delivered, ${open} letters of ${parked} calls, ${repeats} repeats, ${faults.length} out of order`,
  );
  expect([faults, withoutCrash]).toEqual([[], 0]);
  expect(await last.end('SIGTERM')).toBe(0);
}, 120_000);
