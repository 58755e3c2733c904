// One poisoned key of ten thousand: what the others keep beside it, and whether it comes back in its order although the program is killed.
import { strict as assert } from 'node:assert';
import { startRedrive, untilKept, untilRedriven } from '../support/dead-letters.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab, ScriptedReceiver } from '../support/lab.ts';
import { sleep } from '../support/windows.ts';

const keys = 10_000;
const wellBehaved = { delayMs: 0, silentFrom: null, failing: 0 };
/** Calls are numbered through, and their keys are that number modulo `keys`. */
const poison = { ...wellBehaved, refusedEvery: keys };
const concurrency = 100;
const pollMs = 100;
const longestMs = 240_000;
/** Slow enough to be killed in the middle. */
const perSecond = 10;

export interface ParkGoals {
  readonly beside: Goal;
  readonly faults: Goal;
}

export async function park(lab: Lab, goals: ParkGoals): Promise<Figure[]> {
  const messages = lab.quick ? 60_000 : 100_000;
  const pairs: { ours: number; limit: number }[] = [];
  let faults = 0;
  let letters = 0;
  for (let pair = 0; pair < (lab.quick ? 2 : 3); pair += 1) {
    const { ours, limit, parked, outOfPlace } = await sideBySide(lab, messages, pair % 2 === 0);
    pairs.push({ ours, limit });
    letters += parked;
    faults += outOfPlace;
  }
  return [
    comparedFigure(
      {
        name: `other keys beside a parked one of ${keys.toLocaleString('en')}`,
        unit: '/s',
        reference: 'without poison, at the same time',
        how: 'ratio',
        goal: goals.beside,
      },
      pairs,
    ),
    {
      name: `calls of the parked key missing or out of order after a redrive with a kill -9, of ${letters}`,
      unit: 'calls',
      value: faults,
      goal: goals.faults,
    },
  ];
}

/** Two programs at the same time, each with its backlog and its receiver, so that whatever else runs here slows both. */
async function sideBySide(lab: Lab, messages: number, poisonedFirst: boolean) {
  const poisoned = await backlogFor(lab, messages);
  const plain = await backlogFor(lab, messages);
  await poisoned.receiver.call('behave', poison);
  const consumer = { poison: 'park' };
  const startOne = (directory: string) => lab.app({ directory, concurrency, consumer });
  const order = poisonedFirst ? [poisoned, plain] : [plain, poisoned];
  const [first, second] = await Promise.all(order.map(({ directory }) => startOne(directory)));
  assert(first !== undefined && second !== undefined);
  const [app, other] = poisonedFirst ? [first, second] : [second, first];
  const parked = Math.floor(messages / keys);
  // Of the poisoned key only the first call is tried.
  const [ours, limit] = [
    await timesOf(poisoned.receiver, messages - parked + 1),
    await timesOf(plain.receiver, messages),
  ];
  await other.stop();
  const fromMs = Math.max(ours[0] as number, limit[0] as number);
  const toMs = Math.min(ours.at(-1) as number, limit.at(-1) as number);
  const rate = (times: readonly number[]) =>
    (times.filter((ms) => ms >= fromMs && ms <= toMs).length * 1000) / (toMs - fromMs);
  const [oursPerSecond, limitPerSecond] = [rate(ours), rate(limit)];
  const { parkedKeys } = await untilKept(app, ({ open }) => open >= parked);
  assert.equal(parkedKeys.length, 1);
  lab.say(
    `beside a parked key ${oursPerSecond.toFixed(0)}/s, without ${limitPerSecond.toFixed(0)}/s; ${parked} letters`,
  );
  app.kill();
  await app.stop();
  const outOfPlace = await redriveWithKill(lab, poisoned, parked);
  await plain.receiver.stop();
  await poisoned.receiver.stop();
  return { ours: oursPerSecond, limit: limitPerSecond, parked, outOfPlace };
}

interface Backlog {
  readonly directory: string;
  readonly receiver: ScriptedReceiver;
}

async function backlogFor(lab: Lab, messages: number): Promise<Backlog> {
  const { receiver, origin } = await lab.scriptedReceiver(wellBehaved);
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, messages);
  return { directory, receiver };
}

/** When each of so many calls arrived. */
async function timesOf(receiver: ScriptedReceiver, count: number): Promise<readonly number[]> {
  const endMs = performance.now() + longestMs;
  for (;;) {
    const { arrived } = await receiver.call('count', null);
    if (arrived >= count) return (await receiver.call('noted', null)).atMs;
    assert(performance.now() < endMs, `only ${arrived} of ${count} have arrived`);
    await sleep(pollMs);
  }
}

/** How many of the parked key's calls are missing, or came for the first time behind a later one. */
async function redriveWithKill(lab: Lab, { directory, receiver }: Backlog, parked: number): Promise<number> {
  const options = { directory, concurrency, consumer: { poison: 'park' } };
  await receiver.call('behave', wellBehaved);
  const { arrived } = await receiver.call('count', null);
  const killed = await lab.app(options);
  await startRedrive(killed, { rate: perSecond, canary: 1 });
  await timesOf(receiver, arrived + Math.ceil(parked / 3));
  killed.kill();
  await killed.stop();
  const app = await lab.app(options);
  const { open } = await untilKept(app, () => true);
  await startRedrive(app, { rate: perSecond, canary: 1 });
  const report = await untilRedriven(app);
  await untilKept(app, (kept) => kept.open === 0 && kept.parkedKeys.length === 0);
  await app.stop();
  const { sequence } = await receiver.call('noted', null);
  const came = [...new Set(sequence.slice(arrived).filter((number) => number % keys === 0))];
  const late = came.filter((number, i) => i > 0 && number < (came[i - 1] as number)).length;
  lab.say(`killed with ${open} of ${parked} letters open; then ${report.delivered} delivered, ${late} out of order`);
  return late + parked - came.length;
}
