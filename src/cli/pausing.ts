// bigpipe pause, bigpipe resume: a subscription, or one of its destinations, is left alone or goes on.
import { Management, managementOptions, pathOf } from './ask.js';
import type { Command } from './command.js';
import { plain } from './lines.js';

interface PauseRow {
  readonly destination: string | null;
  readonly since: string;
}

const command = (words: 'pause' | 'resume', about: string): Command => ({
  words,
  places: ['TOPIC', 'GROUP'],
  about,
  options: {
    destination: { value: 'ORIGIN', about: 'only this one: http://host:8080, or a name of destinations' },
    ...managementOptions,
  },
  async run(given, around) {
    const { TOPIC = '', GROUP = '' } = given.places;
    const answer = await new Management(given, around).ask({
      method: 'POST',
      path: `${pathOf('subscriptions', TOPIC, GROUP)}/${words}`,
      query: { destination: given.texts['destination'] },
    });
    if (around.isJson) {
      around.print(JSON.stringify(answer));
      return 0;
    }
    const { paused } = answer as { paused: PauseRow[] };
    if (paused.length === 0) around.print('nothing is paused');
    for (const { destination, since } of paused)
      around.print(`paused since ${since}: ${plain(destination ?? `the whole of ${TOPIC} ${GROUP}`)}`);
    return 0;
  },
});

export const pause = command('pause', 'no new attempts, until it is resumed, also through a restart');
export const resume = command('resume', 'go on');
