// bigpipe dlq: the dead letters, listed, shown and sent again.
import { pause } from '../message/clock.js';
import { Management, managementOptions, pathOf } from './ask.js';
import {
  type Command,
  CommandError,
  type CommandOptions,
  type Given,
  numberOf,
  type Surroundings,
  wholeOf,
} from './command.js';
import { barOf, bodyText, plain, tableOf } from './lines.js';

interface Box {
  readonly topic: string;
  readonly groupId: string;
  readonly deadLetterTopic: string;
  readonly open: number;
  readonly parkedKeys: readonly unknown[];
}

interface Letter {
  readonly partition: number;
  readonly offset: string;
  readonly id: string | null;
  readonly url: string | null;
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly history: Readonly<Record<string, string>>;
}

interface Report {
  readonly state: string;
  readonly isUnderWay: boolean;
  readonly reason: string;
  readonly total: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
  readonly held: number;
}

const lookMs = 500;
/** Of a body that is shown. */
const maxBodyChars = 16_384;
const maxOffset = Number.MAX_SAFE_INTEGER;

const rangeOptions = {
  partition: { value: 'N', about: 'only this one' },
  from: { value: 'OFFSET', about: 'the first place among the dead letters' },
} as const satisfies CommandOptions;

const rangeOf = ({ texts }: Given) => ({
  partition: wholeOf('--partition', texts['partition'], 0, 1023),
  from: wholeOf('--from', texts['from'], 0, maxOffset),
});

export const deadLettersList: Command = {
  words: 'dlq ls',
  places: ['TOPIC?', 'GROUP?'],
  about: 'how many dead letters there are; of one subscription, which and why',
  options: {
    ...rangeOptions,
    limit: { value: 'N', about: 'at most so many, to 1000; 100 unless told otherwise' },
    ...managementOptions,
  },
  async run(given, around) {
    const { TOPIC, GROUP } = given.places;
    const management = new Management(given, around);
    if (TOPIC === undefined) return overview(management, around);
    if (GROUP === undefined) throw new CommandError('GROUP is missing');
    const query = { ...rangeOf(given), limit: wholeOf('--limit', given.texts['limit'], 1, 1000) };
    const answer = await management.ask({ path: pathOf('dlq', TOPIC, GROUP), query });
    if (around.isJson) {
      around.print(JSON.stringify(answer));
      return 0;
    }
    const { letters } = answer as { letters: Letter[] };
    const header = ['PARTITION', 'OFFSET', 'REASON', 'STATUS', 'SINCE', 'ID', 'URL'];
    const rows = letters.map(({ partition, offset, id, url, history }) => [
      partition,
      offset,
      history['reason'] ?? '-',
      history['status'] ?? '-',
      history['last-attempt'] ?? '-',
      id ?? '-',
      url ?? '-',
    ]);
    for (const line of tableOf(header, rows)) around.print(line);
    return 0;
  },
};

async function overview(management: Management, around: Surroundings): Promise<number> {
  const boxes = (await management.ask({ path: '/dlq' })) as Box[];
  if (around.isJson) {
    around.print(JSON.stringify(boxes));
    return 0;
  }
  const rows = boxes.map((box) => [box.topic, box.groupId, box.open, box.parkedKeys.length, box.deadLetterTopic]);
  for (const line of tableOf(['TOPIC', 'GROUP', 'LETTERS', 'PARKED KEYS', 'KEPT IN'], rows)) around.print(line);
  return 0;
}

export const deadLettersShow: Command = {
  words: 'dlq show',
  places: ['TOPIC', 'GROUP', 'PARTITION', 'OFFSET'],
  about: 'one dead letter with its history, headers and body',
  options: managementOptions,
  async run(given, around) {
    const { TOPIC = '', GROUP = '', PARTITION, OFFSET } = given.places;
    const partition = wholeOf('PARTITION', PARTITION, 0, 1023) ?? 0;
    const from = wholeOf('OFFSET', OFFSET, 0, maxOffset) ?? 0;
    const query = { partition, from, to: from + 1, limit: 1 };
    const answer = await new Management(given, around).ask({ path: pathOf('dlq', TOPIC, GROUP), query });
    const letter = (answer as { letters: Letter[] }).letters[0];
    if (letter === undefined)
      throw new Error(`no dead letter at offset ${from} of partition ${partition}: purged, delivered, or never there`);
    if (around.isJson) around.print(JSON.stringify(letter));
    else for (const line of letterLines(letter)) around.print(line);
    return 0;
  },
};

function letterLines({ id, url, key, headers, history, bodyBase64 }: Letter): string[] {
  const section = (rows: Readonly<Record<string, string>>) =>
    Object.entries(rows).map(([name, text]) => `  ${plain(name)}: ${plain(text)}`);
  return [
    `id: ${id ?? '-'}`,
    `url: ${plain(url ?? '-')}`,
    `key: ${plain(key ?? '-')}`,
    'history:',
    ...section(history),
    'headers:',
    ...section(headers),
    'body:',
    bodyText(bodyBase64, maxBodyChars),
  ];
}

export const deadLettersRedrive: Command = {
  words: 'dlq redrive',
  places: ['TOPIC', 'GROUP'],
  about: 'send dead letters again: a canary first, paced, and stopping by itself when it fails',
  options: {
    ...rangeOptions,
    to: { value: 'OFFSET', about: 'the place behind the last one' },
    rate: { value: 'N', about: 'so many a second; 10 unless told otherwise' },
    canary: { value: 'SHARE', about: 'sent first, above 0, at most 1; 0.01 unless told otherwise' },
    'abort-if-fail-rate': { value: 'SHARE', about: 'stops above it; 0.2 unless told otherwise' },
    'dry-run': { value: null, about: 'only say what would be sent' },
    'no-wait': { value: null, about: 'do not wait for its end' },
    ...managementOptions,
  },
  async run(given, around) {
    const { TOPIC = '', GROUP = '' } = given.places;
    const { texts, switches } = given;
    const management = new Management(given, around);
    const path = `${pathOf('dlq', TOPIC, GROUP)}/redrive`;
    const order = {
      ...rangeOf(given),
      to: wholeOf('--to', texts['to'], 1, maxOffset),
      rate: numberOf('--rate', texts['rate'], 0, 1_000_000),
      canary: numberOf('--canary', texts['canary'], 0, 1),
      abortIfFailRate:
        texts['abort-if-fail-rate'] === '0' ? 0 : numberOf('--abort-if-fail-rate', texts['abort-if-fail-rate'], 0, 1),
      ...(switches.has('dry-run') ? { dryRun: true } : {}),
    };
    const begun = await management.ask({ method: 'POST', path, body: order });
    if (switches.has('dry-run')) {
      around.print(around.isJson ? JSON.stringify(begun) : dryLine(begun));
      return 0;
    }
    const report = switches.has('no-wait') ? (begun as Report) : await follow(management, path, around);
    around.print(around.isJson ? JSON.stringify(report) : reportLine(report));
    return report.isUnderWay || report.state === 'done' ? 0 : 1;
  },
};

/** Shows how it goes until it is over; a command that is ended leaves it running. */
async function follow(management: Management, path: string, { clock, show, stop }: Surroundings): Promise<Report> {
  for (;;) {
    const report = (await management.ask({ path })) as Report;
    const { sent, delivered, failed, held, total } = report;
    show(barOf(delivered + failed + held, total, `${sent} sent of ${total}, ${delivered} delivered, ${failed} failed`));
    if (!report.isUnderWay) return report;
    await pause(clock, lookMs, stop);
    if (stop.aborted)
      throw new Error(
        'the redrive goes on without this command: look with bigpipe dlq ls, or start bigpipe dlq redrive later',
      );
  }
}

const reportLine = ({ state, reason, total, sent, delivered, failed, held }: Report) =>
  `${state}${reason === '' ? '' : ` (${plain(reason)})`}: ${total} letters, ${sent} sent, ${delivered} delivered, ${failed} failed, ${held} held`;

function dryLine(answer: unknown): string {
  const { letters, isAll, byReason } = answer as { letters: number; isAll: boolean; byReason: Record<string, number> };
  const reasons = Object.entries(byReason).map(([reason, count]) => `${count} ${reason}`);
  return `${isAll ? '' : 'at least '}${letters} letters would be sent${reasons.length === 0 ? '' : `: ${reasons.join(', ')}`}`;
}
