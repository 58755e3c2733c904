// What an operator does: writes the configuration anew, well or badly, sends dead letters again, pauses and resumes.
import { rename, writeFile } from 'node:fs/promises';
import type { Config } from '../bigpipe-process.ts';
import { configCounters } from '../live-config.ts';
import type { Seeded } from '../seeded.ts';
import { until } from '../until.ts';
import type { Nemesis } from './nemesis.ts';
import { groupId, type World } from './world.ts';

/** Shorter and longer than the files must stand still to be read. */
const betweenWritesMs = { least: 20, most: 500 };
const reloadWithinMs = 10_000;

/** Of the same subscriptions: what changes in place, and what has each of them drained and opened anew. */
function goodChange(world: World, random: Seeded): Config {
  const inPlace = {
    rateLimit: random.pick([50_000, 80_000, 100_000]),
    concurrency: random.pick([20, 50, 80]),
  };
  // Refused while a key is parked.
  const mayPark = world.settings.topics.some(({ consumer }) => consumer['poison'] === 'park');
  return random.below(4) === 0 && !mayPark ? { ...inPlace, ordering: random.pick(['key', 'partition']) } : inPlace;
}

/** One way to write the file: whole and good at once, in two halves, with a fault, or as no JSON at all. */
async function writeOnce(world: World, random: Seeded): Promise<string> {
  const good = JSON.stringify(world.config(goodChange(world, random)));
  const file = world.configFile;
  switch (random.below(5)) {
    case 0:
    case 1:
      await writeFile(`${file}.new`, good);
      await rename(`${file}.new`, file);
      return 'good';
    case 2:
      await writeFile(file, good.slice(0, 1 + random.below(good.length - 1)));
      return 'half';
    case 3:
      await writeFile(file, good.replace('"rateLimit":', '"rateLimit":-'));
      return 'bad';
    default:
      await writeFile(file, 'not json');
      return 'garbage';
  }
}

/** Several times a second, while others act; a start always finds a good file. */
export const config: Nemesis = {
  weight: 2,
  act: async (world, _load, random) => {
    const { bigpipe } = world;
    if (bigpipe === null) return 'nobody runs';
    const before = await configCounters(bigpipe);
    const writes = 5 + random.below(15);
    const done: string[] = [];
    const { least, most } = betweenWritesMs;
    for (let i = 0; i < writes; i += 1) {
      done.push(await writeOnce(world, random));
      await new Promise((resolve) => setTimeout(resolve, least + random.below(most - least)));
    }
    await world.writeConfig(world.config());
    const after = await until(
      'the last file is in force',
      async () => {
        const now = await configCounters(bigpipe);
        return now.reloads > before.reloads && now.inError === 0 ? now : null;
      },
      reloadWithinMs,
    ).catch(() => configCounters(bigpipe));
    const { reloads } = world;
    for (const what of ['reloads', 'changed', 'refused', 'adjustFailed'] as const) {
      reloads[what] += after[what] - before[what];
    }
    const seen = `${after.reloads - before.reloads} reloads, ${after.refused - before.refused} refused`;
    return `the file was written ${done.length} times: ${done.join(' ')}, good: ${seen}`;
  },
};

/** Some or all of a topic's dead letters. */
export const redrive: Nemesis = {
  weight: 1,
  act: async (world, _load, random) => {
    const topic = random.pick(world.settings.topics).name;
    const order = { rate: random.pick([20, 200, 2000]), canary: random.pick([0.01, 0.5, 1]), abortIfFailRate: 1 };
    const report = await world.manage('POST', `/dlq/${topic}/${groupId}/redrive`, order);
    return `redrive of ${topic} ${JSON.stringify(order)}: ${report === null ? 'refused' : 'begun'}`;
  },
};

/** A subscription or one of its destinations, until the next time; resumed at the end. */
export const pause: Nemesis = {
  weight: 1,
  act: async (world, _load, random) => {
    const topic = random.pick(world.settings.topics).name;
    const receiver = random.pick(world.receivers);
    const at = random.below(2) === 0 ? '' : `?destination=${encodeURIComponent(new URL(receiver.url).origin)}`;
    const verb = random.pick(['pause', 'resume']);
    const path = (order: string) => `/subscriptions/${topic}/${groupId}/${order}${at}`;
    if (verb === 'pause') {
      world.undo.push(async () => {
        if (world.bigpipe === null) await world.start();
        if ((await world.manage('POST', path('resume'))) === null) throw new Error(`could not resume ${topic}${at}`);
      });
    }
    const answer = await world.manage('POST', path(verb));
    return `${verb} ${topic}${at}: ${answer === null ? 'refused' : 'done'}`;
  },
};
