// bigpipe migrate: everything that an embedded log holds goes to Kafka, while calls come in.
import { pause } from '../message/clock.js';
import { Management, managementOptions } from './ask.js';
import { type Command, CommandError, type Surroundings } from './command.js';
import { barOf } from './lines.js';

interface Report {
  readonly state: 'none' | 'copying' | 'switching' | 'moved' | 'failed';
  readonly to: string | null;
  readonly copied: string;
  readonly total: string;
  readonly heldMs: number | null;
  readonly error: string | null;
}

const lookMs = 500;

export const migrate: Command = {
  words: 'migrate',
  places: [],
  about: 'move an embedded log to Kafka, while calls come in; it goes on where an earlier one was cut off',
  options: {
    to: { value: 'kafka', about: 'where to' },
    servers: { value: 'HOST:PORT,...', about: 'nodes of Kafka; kafka.bootstrap.servers unless told otherwise' },
    status: { value: null, about: 'only say how it stands' },
    'no-wait': { value: null, about: 'do not wait for its end' },
    ...managementOptions,
  },
  async run(given, around) {
    const { texts, switches } = given;
    const management = new Management(given, around);
    if (switches.has('status')) return told((await management.ask({ path: '/migration' })) as Report, around);
    if (texts['to'] !== 'kafka') throw new CommandError('--to: allowed: kafka');
    const servers = texts['servers']?.split(',').map((server) => server.trim());
    const body = { to: 'kafka', ...(servers === undefined ? {} : { servers }) };
    const begun = (await management.ask({ method: 'POST', path: '/migration', body })) as Report;
    return told(switches.has('no-wait') ? begun : await follow(management, around), around);
  },
};

async function follow(management: Management, { clock, show, stop }: Surroundings): Promise<Report> {
  for (;;) {
    const report = (await management.ask({ path: '/migration' })) as Report;
    const { state, copied, total } = report;
    show(barOf(Number(copied), Number(total), `${state}: ${copied} of ${total} messages`));
    if (state === 'moved' || state === 'failed') return report;
    await pause(clock, lookMs, stop);
    if (stop.aborted) throw new Error('the move goes on without this command: bigpipe migrate --status');
  }
}

function told(report: Report, { isJson, print }: Surroundings): number {
  const { state, to, copied, total, heldMs, error } = report;
  if (isJson) print(JSON.stringify(report));
  else if (state === 'none') print('nothing is being moved');
  else {
    print(`${state}: ${copied} of ${total} messages stand in Kafka at ${to}`);
    if (error !== null) print(error);
    if (state === 'moved')
      print(
        `calls waited ${heldMs} ms; before the next start set "broker.driver": "kafka" and "kafka.bootstrap.servers": "${to}"`,
      );
  }
  return state === 'failed' ? 1 : 0;
}
