// Resident memory while a backlog of 1,000,000 different keys to 10,000 destinations is delivered to its end.
import { strict as assert } from 'node:assert';
import { type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { residentBytes } from '../support/proc.ts';
import { sleep } from '../support/windows.ts';

const sampleMs = 250;
const mib = 2 ** 20;
const concurrency = 100;
/** Nothing has arrived for so long: it never will. */
const standstillMs = 60_000;

interface Sample {
  /** Of all calls, from 0 to 1. */
  readonly delivered: number;
  readonly resident: number;
}

interface Delivered {
  readonly samples: readonly Sample[];
  readonly perSecond: number;
}

export async function memoryKeys(lab: Lab, goals: { readonly flat: Goal; readonly most: Goal }): Promise<Figure[]> {
  const messages = lab.quick ? 100_000 : 1_000_000;
  const destinations = lab.quick ? 1000 : 10_000;
  const one = await deliver(lab, messages / 5, 1);
  const { samples, perSecond } = await deliver(lab, messages, destinations);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const part = residentBetween(samples, tenth / 10, (tenth + 1) / 10);
    const [middle, most] = [median(part).toFixed(0), Math.max(...part).toFixed(0)];
    lab.say(`${tenth * 10} to ${tenth * 10 + 10} % delivered: RSS ${middle} MB, most ${most} MB`);
  }
  // By then every destination has had its first calls, and has its connection.
  const start = median(residentBetween(samples, 0.05, 0.15));
  const later = residentBetween(samples, 0.5, 1);
  const of = `${messages.toLocaleString('en')} keys, ${destinations.toLocaleString('en')} destinations`;
  const alone = { name: 'one destination', value: Math.max(...residentBetween(one.samples, 0.5, 1)) };
  const most = Math.max(...later);
  return [
    {
      name: `RSS of the second half against the start, ${of}`,
      unit: 'x',
      value: median(later) / start,
      goal: goals.flat,
    },
    { name: `RSS in the second half, most, ${of}`, unit: 'MB', value: most, reference: alone, goal: goals.most },
    { name: 'RSS once every destination has a connection', unit: 'MB', value: start },
    { name: 'delivered meanwhile', unit: '/s', value: perSecond, reference: { ...alone, value: one.perSecond } },
  ];
}

async function deliver(lab: Lab, messages: number, destinations: number): Promise<Delivered> {
  const { receiver, origin } = await lab.receiverOfMany(0);
  const directory = await lab.directory();
  await lab.fill(directory, `${origin}/hook`, messages, { users: messages, destinations });
  const app = await lab.app({ directory, concurrency });
  const startedMs = performance.now();
  const samples: Sample[] = [];
  let movedMs = startedMs;
  for (let distinct = 0; distinct < messages; ) {
    await sleep(sampleMs);
    const now = await receiver.call('count', null);
    if (now.distinct > distinct) movedMs = performance.now();
    assert(performance.now() - movedMs < standstillMs, `only ${now.distinct} of ${messages} have arrived`);
    distinct = now.distinct;
    samples.push({ delivered: distinct / messages, resident: residentBytes(app.pid) / mib });
  }
  const perSecond = (messages * 1000) / (performance.now() - startedMs);
  await app.stop();
  return { samples, perSecond };
}

function residentBetween(samples: readonly Sample[], from: number, to: number): number[] {
  return samples.filter(({ delivered }) => delivered >= from && delivered <= to).map(({ resident }) => resident);
}
