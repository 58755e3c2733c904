// bigpipe tail: what is in a topic, and what comes.
import { pause } from '../message/clock.js';
import { Management, managementOptions, pathOf } from './ask.js';
import { type Command, wholeOf } from './command.js';
import { bodyText, plain } from './lines.js';

interface Read {
  readonly messages: readonly TailedMessage[];
  /** Where to go on: P:OFFSET,P:OFFSET. */
  readonly next: string;
  readonly isAtEnd: boolean;
}

interface TailedMessage {
  readonly partition: number;
  readonly offset: string;
  readonly storedAt: string;
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly headers: Readonly<Record<string, string>>;
}

const lookMs = 500;
const maxBodyChars = 200;

export const tail: Command = {
  words: 'tail',
  places: ['TOPIC'],
  about: 'print what comes into a topic, until it is stopped',
  options: {
    from: {
      value: 'PLACE',
      about: 'start: everything that is there; end (the default): only what comes; or P:OFFSET,P:OFFSET',
    },
    count: { value: 'N', about: 'stop after so many' },
    'no-follow': { value: null, about: 'stop at the end of what is there' },
    ...managementOptions,
  },
  async run(given, around) {
    const { texts, switches, places } = given;
    const management = new Management(given, around);
    const path = `${pathOf('topics', places['TOPIC'] ?? '')}/messages`;
    let left = wholeOf('--count', texts['count'], 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY;
    let from = texts['from'] ?? 'end';
    while (!around.stop.aborted) {
      const { messages, next, isAtEnd } = (await management.ask({ path, query: { from } })) as Read;
      for (const message of messages.slice(0, left))
        around.print(around.isJson ? JSON.stringify(message) : lineOf(message));
      left -= messages.length;
      if (left <= 0 || (isAtEnd && switches.has('no-follow'))) return 0;
      from = next;
      if (isAtEnd) await pause(around.clock, lookMs, around.stop);
    }
    return 0;
  },
};

function lineOf({ partition, offset, storedAt, key, bodyBase64, headers }: TailedMessage): string {
  const { 'bigpipe-message-id': id, 'bigpipe-url': url, 'bigpipe-type': type } = headers;
  const facts = [
    storedAt,
    `${partition}:${offset}`,
    id ?? '-',
    key === null ? '' : `key=${plain(key)}`,
    type === undefined ? '' : `type=${plain(type)}`,
    url === undefined ? '' : plain(url),
    bodyText(bodyBase64, maxBodyChars),
  ];
  return facts.filter((fact) => fact !== '').join('  ');
}
