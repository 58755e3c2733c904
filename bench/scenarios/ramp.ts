// How a receiver that was dead gets its backlog: arrivals of each second against the curve that recovering promises.
import type { Figure, Goal } from '../support/figures.ts';
import type { Lab, ScriptedReceiver } from '../support/lab.ts';
import { sleep } from '../support/windows.ts';

const perSecond = 400;
const behaviour = { delayMs: 5, silentFrom: null, failing: 0 };
/** Below it a request more or less is more than a tenth. */
const fewestToCompare = 10;
/** Of the full rate: what counts as having reached it. */
const full = 0.98;

export interface RampGoals {
  readonly excess: Goal;
  readonly few: Goal;
  readonly toFull: Goal;
  readonly herd: Goal;
}

export async function ramp(lab: Lab, goals: RampGoals): Promise<Figure[]> {
  const [deadS, breakPeriod, recoverPeriod] = lab.quick ? [15, 5, 15] : [60, 10, 30];
  const messages = lab.quick ? 8000 : 20_000;
  const { receiver, origin } = await lab.scriptedReceiver(behaviour);
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, messages);
  await receiver.call('die', null);
  const circuitBreaker = { breakPeriod, recoverPeriod, winSize: 10, minStats: 20, healthRate: 0.8 };
  const consumer = { rateLimit: perSecond, timeout: 5000, retries: 50, circuitBreaker };
  await lab.app({ directory, concurrency: 64, consumer });
  await sleep(deadS * 1000);
  await receiver.call('rise', null);
  const seconds = await arrivals(receiver, messages, (breakPeriod + recoverPeriod + messages / perSecond + 30) * 1000);
  const curve = seconds.map((_, second) => area(second, recoverPeriod));
  seconds.forEach((count, second) => {
    lab.say(`second ${second + 1}: ${count} arrived, the curve has ${(curve[second] as number).toFixed(1)}`);
  });
  const above = seconds.map((count, second) => count - (curve[second] as number));
  const excess = above.map((more, second) => (100 * more) / (curve[second] as number));
  const isFew = (second: number) => (curve[second] as number) < fewestToCompare;
  // The last second is not a whole one.
  const behind = seconds.slice(recoverPeriod, -1);
  const reached = seconds.findIndex((count) => count >= full * perSecond);
  const after = `after ${deadS} s of silence`;
  return [
    {
      name: `most above the curve in a second, ${after}`,
      unit: '%',
      value: Math.max(...excess.filter((_, second) => !isFew(second))),
      goal: goals.excess,
    },
    {
      name: `the same while the curve has less than ${fewestToCompare} a second`,
      unit: 'requests',
      value: Math.max(...above.filter((_, second) => isFew(second))),
      goal: goals.few,
    },
    {
      name: 'from the probe to the full rate',
      unit: 'recoverPeriods',
      value: reached === -1 ? Number.POSITIVE_INFINITY : reached / recoverPeriod,
      goal: goals.toFull,
    },
    {
      name: `most in a second once recovered, the limit is ${perSecond}/s`,
      unit: 'of the limit',
      value: Math.max(...behind) / perSecond,
      goal: goals.herd,
    },
  ];
}

/** In each second since the probe that went well, without the probe. */
async function arrivals(receiver: ScriptedReceiver, messages: number, boundMs: number): Promise<number[]> {
  const endMs = performance.now() + boundMs;
  for (;;) {
    const { atMs } = await receiver.call('noted', null);
    if (atMs.length >= messages) return perSecondSince(atMs);
    if (performance.now() > endMs) throw new Error(`only ${atMs.length} of ${messages} had arrived in the end`);
    await sleep(1000);
  }
}

function perSecondSince([firstMs = 0, ...atMs]: readonly number[]): number[] {
  const counts: number[] = [];
  for (const ms of atMs) {
    const second = Math.floor((ms - firstMs) / 1000);
    while (counts.length <= second) counts.push(0);
    counts[second] = (counts[second] as number) + 1;
  }
  return counts;
}

/** Of the curve from 1 a second to the full rate, growing by the same factor each second: what one second may have. */
function area(second: number, recoverPeriod: number): number {
  const upTo = (end: number) => {
    const inside = Math.min(end, recoverPeriod);
    const growth = Math.log(perSecond);
    return (recoverPeriod / growth) * Math.expm1((growth * inside) / recoverPeriod) + perSecond * (end - inside);
  };
  return upTo(second + 1) - upTo(second);
}
