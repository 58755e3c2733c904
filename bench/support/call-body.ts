// The one call that everything is measured with: 1 KB of data, which carries its time and its number.
import { strict as assert } from 'node:assert';

/** Bytes of the call's data, which is the body that the receiver gets. */
export const dataBytes = 1024;
/** At the start of the data: microseconds, a blank, the call's number, a blank. */
export const timeDigits = 16;
export const sequenceDigits = 8;
export const sequenceAt = timeDigits + 1;
const timeHole = '0'.repeat(timeDigits);
const sequenceHole = '0'.repeat(sequenceDigits);
const userHole = '#######';
/** Lanes that the calls are spread over, unless a scenario wants another number. */
export const defaultUsers = 10_000;
/** Of the three last parts of a destination's address. */
const partDigits = 3;
/** The first number of each of these parts: all have three digits, and none begins with a zero, which URLs read as octal. */
const firstPart = 100;
const perPart = 100;

export const callAcl = { name: 'bench', secret: 'not a secret' } as const;

export function sampleData(bytes = dataBytes): string {
  return `${timeHole} ${sequenceHole} `.padEnd(bytes, 'abcdefghij ');
}

/** The same as the sample's, stamped and shorter. */
export function dataOf(us: number, sequence: number, bytes: number): string {
  return `${String(us).padStart(timeDigits, '0')} ${String(sequence).padStart(sequenceDigits, '0')} `.padEnd(
    bytes,
    '.',
  );
}

/** The loopback address of a destination, 0 to 999,999; all are equally long. */
export function addressOf(destination: number): string {
  return `127.${partsOf(destination).join('.')}`;
}

/** The number of the destination with that address; -1 when it is not of `addressOf`. */
export function destinationAt(address: string): number {
  const [first, ...parts] = address.split('.').map((part) => Number(part) - firstPart);
  if (first === undefined || parts.length !== 3 || parts.some((part) => !(part >= 0 && part < perPart))) return -1;
  return parts.reduce((sum, part) => sum * perPart + part, 0);
}

function partsOf(destination: number): number[] {
  const rest = Math.floor(destination / perPart);
  return [Math.floor(rest / perPart), rest % perPart, destination % perPart].map((part) => firstPart + part);
}

/** What the calls are spread over, each in turn. */
export interface Spread {
  /** Partition keys. */
  readonly users: number;
  /** Addresses in the place of the URL's one, which is `addressOf(0)`; 1 leaves the URL as it is. */
  readonly destinations: number;
}

export const oneDestination: Spread = { users: defaultUsers, destinations: 1 };

/** Which door the calls go through. */
export const doors = ['rpc', 'commit', 'messages'] as const;
/** rpc-wait: the caller waits for the receiver's answer. */
export type Door = (typeof doors)[number] | 'rpc-wait';

export interface CallForm extends Spread {
  /** The URL inside the calls. */
  readonly callUrl: string;
  /** The original's when absent. */
  readonly door?: Door;
  /** Of the data; 1,024 when absent. */
  readonly bytes?: number;
  /** They go to so many topics, `topicOf` 0 and on, in turns; one that the caller's entry names when absent. Of door "messages" only. */
  readonly topics?: number;
}

/** Of the doors that want it there. */
export const callAuthorization = `authorization: Basic ${Buffer.from(`${callAcl.name}:${callAcl.secret}`).toString('base64')}`;
export const callTopic = 'bench';
const topicDigits = 5;
const topicHole = '-----';
/** All names are equally long. */
export const topicOf = (number: number) => `${callTopic}.${String(number).padStart(topicDigits, '0')}`;

/** Request line, headers of the door's own, and body; the same message through each. */
function partsOfCall(form: CallForm): readonly [line: string, headers: readonly string[], body: string] {
  const { callUrl, door = 'rpc', bytes, topics } = form;
  const data = sampleData(bytes);
  const user = `user-${userHole}`;
  switch (door) {
    case 'rpc':
    case 'rpc-wait': {
      const plain = { url: callUrl, partition_key: user, acl: callAcl, data };
      const call = door === 'rpc' ? plain : { ...plain, wait: 30 };
      return ['POST /rpc/call HTTP/1.1', ['content-type: application/json'], JSON.stringify(call)];
    }
    case 'commit':
      return [
        `POST /commit?topic=${callTopic}&key=${user} HTTP/1.1`,
        [callAuthorization, 'content-type: application/octet-stream'],
        data,
      ];
    case 'messages':
      return [
        'POST /v1/messages HTTP/1.1',
        [
          callAuthorization,
          'content-type: application/octet-stream',
          `bigpipe-url: ${callUrl}`,
          `bigpipe-key: ${user}`,
          ...(topics === undefined ? [] : [`bigpipe-topic: ${callTopic}.${topicHole}`]),
        ],
        data,
      ];
  }
}

/** A whole HTTP request whose time, number, user, destination and topic are overwritten in place before each use. */
export class CallRequest {
  readonly bytes: Buffer;
  private readonly timeAt: number;
  private readonly userAt: number;
  private readonly addressAt: number;
  private readonly topicAt: number;
  private readonly form: CallForm;

  constructor(host: string, form: CallForm) {
    const [line, headers, body] = partsOfCall(form);
    const head = [line, `host: ${host}`, ...headers, `content-length: ${Buffer.byteLength(body)}`, '', ''].join('\r\n');
    this.bytes = Buffer.from(head + body, 'latin1');
    this.timeAt = this.bytes.indexOf(timeHole);
    this.userAt = this.bytes.indexOf(userHole);
    this.addressAt = this.bytes.indexOf(addressOf(0));
    this.topicAt = this.bytes.indexOf(topicHole);
    this.form = form;
    assert(this.timeAt > 0 && this.userAt > 0 && (form.destinations === 1 || this.addressAt > 0));
    assert(form.topics === undefined || this.topicAt > 0);
  }

  stamp(us: number, sequence: number): void {
    writeDigits(this.bytes, this.timeAt, timeDigits, us);
    writeDigits(this.bytes, this.timeAt + sequenceAt, sequenceDigits, sequence);
    const { users, destinations, topics } = this.form;
    writeDigits(this.bytes, this.userAt, userHole.length, sequence % users);
    if (destinations > 1) this.stampAddress(sequence % destinations);
    if (topics !== undefined) writeDigits(this.bytes, this.topicAt, topicDigits, sequence % topics);
  }

  private stampAddress(destination: number): void {
    let at = this.addressAt + '127.'.length;
    for (const part of partsOf(destination)) {
      writeDigits(this.bytes, at, partDigits, part);
      at += partDigits + 1;
    }
  }
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let rest = value;
  for (let i = at + digits - 1; i >= at; i -= 1) {
    const next = Math.floor(rest / 10);
    bytes[i] = 48 + (rest - next * 10);
    rest = next;
  }
}

/** The number written there, or -1 where there is none. */
export function readDigits(bytes: Buffer, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i += 1) {
    const digit = (bytes[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
