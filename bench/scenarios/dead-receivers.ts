// All receivers are dead while a large backlog comes in: resident memory, what callers notice of it, and that all of it is there.
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { comparedFigure, type Figure, type Goal, median } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { directoryBytes, residentBytes } from '../support/proc.ts';
import type { LoadResult } from '../support/protocol.ts';
import { sleep } from '../support/windows.ts';

const mib = 2 ** 20;
const sampleMs = 1000;
const connections = 64;
const users = 10_000;
/** So many receivers: first all of them take requests and never answer, from the middle on nobody listens. */
const destinations = 20;
const silent = { delayMs: 0, silentFrom: 0, failing: 0 };
/** Of a call: more of them would measure the door. */
const bodyBytes = 8192;
/** So that it is not tried again and again for nothing, and no call becomes a dead letter. */
const consumer = {
  retries: 1000,
  timeout: 1000,
  circuitBreaker: { breakPeriod: 5, recoverPeriod: 5, winSize: 10, minStats: 5, healthRate: 0.5 },
};
const roomy = { 'broker.embedded.retention.bytes': 2 ** 40 };
/** The whole time is cut into so many parts; in each the reference has its turn, too. */
const parts = 10;
const referenceShare = 0.1;

export async function deadReceivers(lab: Lab, goals: { resident: Goal; answer: Goal; rate: Goal }): Promise<Figure[]> {
  const bytes = lab.sizes.backlogBytes ?? (lab.quick ? 100e6 : 5e9);
  const wholeMs = (lab.sizes.minutes ?? (lab.quick ? 0.5 : 10)) * 60_000;
  const partMs = wholeMs / parts;
  const perSecond = Math.ceil((bytes / bodyBytes / wholeMs) * 1000);
  const { receiver, origin } = await lab.scriptedReceiver(silent);
  const directory = await lab.directory();
  const app = await lab.app({ directory, concurrency: 100, consumer, settings: roomy, isSmall: true });
  const bare = await lab.bareHttp(join(directory, 'bare-post'));
  const generator = lab.generator();
  let firstSequence = 1;
  const calls = async (port: number, durationMs: number): Promise<LoadResult> => {
    const form = { callUrl: `${origin}/hook`, users, destinations, bytes: bodyBytes };
    const load = await generator.call('steady', { port, connections, ...form, firstSequence, perSecond, durationMs });
    firstSequence += load.accepted + load.refused;
    assert.equal(load.refused, 0, load.sample);
    return load;
  };
  const resident: number[] = [];
  const sampling = setInterval(() => resident.push(residentBytes(app.pid) / mib), sampleMs);
  const turns: { ours: LoadResult; limit: LoadResult }[] = [];
  const ends: number[] = [];
  let accepted = 0;
  for (let part = 0; part < parts; part += 1) {
    if (part === parts / 2) await receiver.call('die', null);
    const ours = await calls(app.port, partMs * (1 - referenceShare));
    const limit = await calls(bare.port, partMs * referenceShare);
    turns.push({ ours, limit });
    accepted += ours.accepted;
    ends.push(resident.length);
    const rss = resident.slice(ends.at(-2) ?? 0);
    lab.say(
      `part ${part + 1}: ${ours.accepted} calls, answer p99 ${ours.latency.p99Ms} max ${ours.latency.maxMs} ms (bare ${limit.latency.p99Ms}, ${limit.latency.maxMs}), RSS ${median(rss).toFixed(0)}, most ${Math.max(...rss).toFixed(0)} MB`,
    );
  }
  await sleep(2 * sampleMs);
  clearInterval(sampling);
  const onDisk = await directoryBytes(join(directory, 'data'));
  const backlog = await backlogOf(app);
  assert.equal(backlog, accepted, 'not all that was accepted is in the backlog');
  app.kill();
  const of = `${((accepted * bodyBytes) / 1e9).toFixed(2)} GB of bodies in ${(wholeMs / 60_000).toFixed(1)} min`;
  const rate = ({ accepted: made, startedMs, endedMs }: LoadResult) => (made * 1000) / (endedMs - startedMs);
  const pairs = turns.map(({ ours, limit }) => ({ ours: ours.latency.p99Ms, limit: limit.latency.p99Ms }));
  return [
    {
      name: `RSS, most, all receivers dead, started with --small, ${of}`,
      unit: 'MB',
      value: Math.max(...resident),
      goal: goals.resident,
    },
    {
      name: 'RSS, the last part of it',
      unit: 'MB',
      value: median(resident.slice(ends.at(-2))),
      reference: { name: 'the first part', value: median(resident.slice(0, ends[0])) },
    },
    comparedFigure(
      {
        name: `accepted meanwhile, asked for ${perSecond}`,
        unit: '/s',
        reference: 'asked for',
        how: 'ratio',
        goal: goals.rate,
      },
      turns.map(({ ours }) => ({ ours: rate(ours), limit: perSecond })),
    ),
    comparedFigure(
      {
        name: 'answer p99 meanwhile',
        unit: 'ms',
        reference: 'bare POST of its own, node:http',
        how: 'above',
        goal: goals.answer,
      },
      pairs,
    ),
    { name: 'on disk for a byte of body', unit: 'x', value: onDisk / (accepted * bodyBytes) },
  ];
}

/** All that the subscription has not settled, whatever it waits for. */
async function backlogOf({ port }: BigpipeApp): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/stats`);
  const page = (await answer.json()) as { data: { subscriptionStats: { backlog: Record<string, number> }[] } };
  const [subscription] = page.data.subscriptionStats;
  return Object.values(subscription?.backlog ?? {}).reduce((sum, count) => sum + count, 0);
}
