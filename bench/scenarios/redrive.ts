// Dead letters sent again: how many a receiver that fails half of them gets, and at which pace a healthy one gets the rest.
import { strict as assert } from 'node:assert';
import { startRedrive, untilKept, untilRedriven } from '../support/dead-letters.ts';
import type { Figure, Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';

const canary = 0.01;
/** What may be under way and unanswered beyond the canary. */
const uncertain = 0.05;
const wellBehaved = { delayMs: 0, silentFrom: null, failing: 0 };
const perSecond = 500;

export interface RedriveGoals {
  readonly pace: Goal;
  readonly most: Goal;
  readonly toSick: Goal;
  readonly faults: Goal;
}

export async function redrive(lab: Lab, goals: RedriveGoals): Promise<Figure[]> {
  const letters = lab.quick ? 2000 : 5000;
  const { receiver, origin } = await lab.scriptedReceiver({ ...wellBehaved, refusedEvery: 1 });
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, letters);
  const app = await lab.app({ directory, concurrency: 100, consumer: { retries: 0 } });
  await untilKept(app, ({ open }) => open === letters);

  await receiver.call('behave', { ...wellBehaved, failing: 0.5 });
  await startRedrive(app, { rate: perSecond, canary });
  const sick = await untilRedriven(app);
  assert.equal(sick.state, 'aborted');
  const { open: left } = await untilKept(app, ({ open }) => open === letters - sick.delivered);
  lab.say(`failing half: ${sick.sent} sent, ${sick.delivered} delivered, ${sick.reason}; ${left} letters left`);

  await receiver.call('behave', wellBehaved);
  const { arrived } = await receiver.call('count', null);
  await startRedrive(app, { rate: perSecond, canary });
  const well = await untilRedriven(app);
  const { atMs, sequence } = await receiver.call('noted', null);
  const { open } = await untilKept(app, () => true);
  const times = atMs.slice(arrived);
  const mean = ((times.length - 1) * 1000) / ((times.at(-1) as number) - (times[0] as number));
  const most = mostInASecond(times);
  lab.say(`healthy: ${well.delivered} delivered, ${mean.toFixed(1)}/s, at most ${most} in a second; ${open} left`);
  const came = new Set(sequence.slice(arrived)).size;
  const bound = letters * (canary + uncertain);
  const against = (name: string, value: number, reference: number) => ({
    value,
    reference: { name, value: reference },
    compared: { how: 'ratio' as const, value: value / reference, of: [value / reference] },
  });
  const count = letters.toLocaleString('en');
  return [
    {
      name: `of ${count} dead letters to a receiver that fails half`,
      unit: 'letters',
      ...against('the canary and 5 %', sick.sent, bound),
      goal: goals.toSick,
    },
    { name: 'arrivals of a redrive', unit: '/s', ...against('its rate', mean, perSecond), goal: goals.pace },
    { name: 'the most in a second', unit: '/s', ...against('its rate', most, perSecond), goal: goals.most },
    {
      name: 'letters that did not arrive once, or are left',
      unit: 'letters',
      value: Math.abs(left - came) + Math.abs(times.length - came) + open,
      goal: goals.faults,
    },
  ];
}

/** In any second, wherever it begins. */
function mostInASecond(times: readonly number[]): number {
  let most = 0;
  for (let first = 0, last = 0; last < times.length; last += 1) {
    while ((times[last] as number) - (times[first] as number) >= 1000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
