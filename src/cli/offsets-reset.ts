// bigpipe offsets reset: from where a subscription goes on in its topic.
import { Management, managementOptions, pathOf } from './ask.js';
import { type Command, CommandError, wholeOf } from './command.js';

/** What is in flight ends first, which takes as long as the receivers' timeout. */
const withinMs = 120_000;

interface MovedMark {
  readonly partition: number;
  readonly from: string;
  readonly to: string;
}

export const offsetsReset: Command = {
  words: 'offsets reset',
  places: ['TOPIC', 'GROUP'],
  about: 'let a subscription go on from another place of its topic',
  options: {
    to: { value: 'PLACE', about: 'earliest, latest, an offset, or a time like 2026-11-21T14:00:00Z' },
    partition: { value: 'N', about: 'only this one' },
    ...managementOptions,
  },
  async run(given, around) {
    const { TOPIC = '', GROUP = '' } = given.places;
    const { to } = given.texts;
    if (to === undefined) throw new CommandError('--to is missing');
    const partition = wholeOf('--partition', given.texts['partition'], 0, 1023);
    const answer = await new Management(given, around).ask({
      method: 'POST',
      path: `${pathOf('subscriptions', TOPIC, GROUP)}/offsets`,
      body: { to, ...(partition === undefined ? {} : { partition }) },
      withinMs,
    });
    if (around.isJson) around.print(JSON.stringify(answer));
    else
      for (const row of (answer as { partitions: MovedMark[] }).partitions)
        around.print(`partition ${row.partition}: ${row.from} -> ${row.to}`);
    return 0;
  },
};
