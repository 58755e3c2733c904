// What an open console costs the program at 1,000 destinations and 5,000 messages a second: windows with and without one, in turns.
import { strict as assert } from 'node:assert';
import type { BigpipeApp } from '../support/bigpipe-app.ts';
import { defaultUsers } from '../support/call-body.ts';
import { comparedFigure, type Figure, type Goal } from '../support/figures.ts';
import type { Lab } from '../support/lab.ts';
import { cpuSeconds } from '../support/proc.ts';
import { inTurns } from '../support/windows.ts';

const destinations = 1000;
const perSecond = 5000;
const connections = 64;

export async function openConsole(lab: Lab, goal: Goal): Promise<Figure[]> {
  const durationMs = lab.quick ? 5000 : 15_000;
  const { receiver, origin } = await lab.receiverOfMany(0);
  const app = await lab.app({ directory: await lab.directory(), concurrency: 500 });
  const generator = lab.generator();
  const spread = { users: defaultUsers, destinations };
  let firstSequence = 1;
  /** Percent of a core, all threads, while so many calls are taken and delivered. */
  const window = async (measured: boolean) => {
    await receiver.call('reset', null);
    const [cpuBefore, startMs] = [cpuSeconds(app.pid), performance.now()];
    const target = { port: app.port, connections, callUrl: `${origin}/hook`, ...spread, firstSequence };
    const load = await generator.call('steady', { ...target, perSecond, durationMs });
    firstSequence += load.accepted + load.refused;
    assert.equal(load.refused, 0, load.sample);
    await receiver.call('await', { distinct: load.accepted, timeoutMs: 60_000 });
    const seconds = (performance.now() - startMs) / 1000;
    const percent = (100 * (cpuSeconds(app.pid) - cpuBefore)) / seconds;
    if (measured) lab.say(`${(load.accepted / seconds).toFixed(0)}/s, ${percent.toFixed(1)} % of a core`);
    return percent;
  };
  const withPage = async () => {
    const page = await openPage(app);
    const percent = await window(true);
    const { samples, destinations: listed } = await page.close();
    lab.say(`${samples} samples, ${listed} destinations in a list`);
    assert.equal(listed, destinations);
    assert.ok(samples > 0);
    return percent;
  };
  await window(false);
  const pairs = await inTurns(lab.quick ? 3 : 5, withPage, () => window(true));
  return [
    comparedFigure(
      {
        name: `a console open, ${destinations.toLocaleString('en')} destinations, ${perSecond.toLocaleString('en')}/s`,
        unit: '% of a core',
        reference: 'the same without one',
        how: 'above',
        goal,
      },
      pairs.map(({ ours, limit }) => ({ ours, limit })),
    ),
  ];
}

/** Reads the stream as the page does while its list of destinations is looked at. */
async function openPage(app: BigpipeApp) {
  const abort = new AbortController();
  const url = `http://127.0.0.1:${app.managementPort}/console/stream?destinations=`;
  const response = await fetch(url, { signal: abort.signal });
  assert.equal(response.status, 200);
  const seen = { samples: 0, destinations: 0 };
  const reading = (async () => {
    let rest = '';
    for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + text).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        if (event.startsWith('event: sample')) seen.samples += 1;
        if (event.startsWith('event: destinations'))
          seen.destinations = (JSON.parse(event.slice(event.indexOf('{'))) as { total: number }).total;
      }
    }
  })().catch(() => undefined);
  return {
    close: async () => {
      abort.abort();
      await reading;
      return seen;
    },
  };
}
