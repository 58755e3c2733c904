// What first attempts keep of the rate limit while half of all attempts fail.
import type { Figure, Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import type { Noted } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const perSecond = 100;
/** Until the bucket's first burst and the budget's first window are over. */
const settleMs = 10_000;
/** What waits for its retry stays in its partition's window: some 30 calls a second, far less than these hold. */
const partitions = 16;

interface Shares {
  readonly firsts: number;
  readonly all: number;
}

/** Two programs at the same moment: one with the default budget, one that lets retries take all. */
export async function retryBudget(lab: Lab, goal: Goal): Promise<Figure[]> {
  const runMs = lab.quick ? 6000 : 20_000;
  const noted = await Promise.all([oneRun(lab, runMs, {}), oneRun(lab, runMs, { retryBudget: { percent: 100 } })]);
  const [ours, unbounded] = noted.map((one) => sharesOf(one, runMs)) as [Shares, Shares];
  return [
    {
      name: `first attempts at a limit of ${perSecond}/s, half of all attempts fail`,
      unit: '/s',
      value: ours.firsts,
      reference: { name: 'without a budget', value: unbounded.firsts },
      goal,
    },
    { name: 'all attempts meanwhile', unit: '/s', value: ours.all, reference: { name: 'the limit', value: perSecond } },
  ];
}

async function oneRun(lab: Lab, runMs: number, consumer: object): Promise<Noted> {
  const { receiver, origin } = await lab.scriptedReceiver({ delayMs: 5, silentFrom: null, failing: 0.5 });
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, Math.ceil((perSecond * (settleMs + runMs) * 1.2) / 1000), { partitions });
  const app = await lab.app({
    directory,
    concurrency: 50,
    partitions,
    consumer: { rateLimit: perSecond, retries: 10, ...consumer },
  });
  await sleep(settleMs + runMs + 1000);
  app.kill();
  return receiver.call('noted', null);
}

function sharesOf({ atMs, attempt }: Noted, runMs: number): Shares {
  const fromMs = (atMs[0] ?? 0) + settleMs;
  const inside = attempt.filter((_, i) => (atMs[i] as number) >= fromMs && (atMs[i] as number) < fromMs + runMs);
  const a = (count: number) => (count * 1000) / runMs;
  return { firsts: a(inside.filter((number) => number === 1).length), all: a(inside.length) };
}
