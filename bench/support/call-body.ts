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
const userHole = '#####';
/** Lanes that the calls are spread over. */
const users = 10_000;

export const callAcl = { name: 'bench', secret: 'not a secret' } as const;

export function sampleData(): string {
  return `${timeHole} ${sequenceHole} `.padEnd(dataBytes, 'abcdefghij ');
}

/** A whole HTTP request whose time, number and user are overwritten in place before each use. */
export class CallRequest {
  readonly bytes: Buffer;
  private readonly timeAt: number;
  private readonly userAt: number;

  constructor(host: string, callUrl: string) {
    const call = { url: callUrl, partition_key: `user-${userHole}`, acl: callAcl, data: sampleData() };
    const body = JSON.stringify(call);
    const head = `POST /rpc/call HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`;
    this.bytes = Buffer.from(head + body, 'latin1');
    this.timeAt = this.bytes.indexOf(timeHole);
    this.userAt = this.bytes.indexOf(userHole);
    assert(this.timeAt > 0 && this.userAt > 0);
  }

  stamp(us: number, sequence: number): void {
    writeDigits(this.bytes, this.timeAt, timeDigits, us);
    writeDigits(this.bytes, this.timeAt + sequenceAt, sequenceDigits, sequence);
    writeDigits(this.bytes, this.userAt, userHole.length, sequence % users);
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
