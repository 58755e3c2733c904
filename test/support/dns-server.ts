// A name server on loopback that answers as the test's script says.
import { createSocket, type Socket } from 'node:dgram';
import { groupsOf } from '#src/message/ip-address.js';

const [typeA, typeAaaa] = [1, 28];
const headerBytes = 12;

/** The addresses of a name, of either family; `nth` counts the questions for it of one family, from 0. */
export type NameScript = (name: string, nth: number) => readonly string[];

/** Ends with the test: call `close`. */
export class DnsServer {
  /** Every question for an IPv4 address, in its order. */
  readonly asked: string[] = [];

  private constructor(
    private readonly socket: Socket,
    private readonly script: NameScript,
  ) {}

  static async start(script: NameScript): Promise<DnsServer> {
    const socket = createSocket('udp4');
    const server = new DnsServer(socket, script);
    socket.on('message', (query, from) => socket.send(server.answer(query), from.port, from.address));
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }

  private answer(query: Buffer): Buffer {
    const { name, end } = nameAt(query);
    const type = query.readUInt16BE(end);
    const question = query.subarray(headerBytes, end + 4);
    const nth = this.asked.filter((each) => each === name).length;
    if (type === typeA) this.asked.push(name);
    const addresses = this.script(name, nth).filter((each) => each.includes(':') === (type === typeAaaa));
    const answers = type === typeA || type === typeAaaa ? addresses.map((each) => recordOf(each, type)) : [];
    const header = Buffer.alloc(headerBytes);
    query.copy(header, 0, 0, 2);
    // An answer, recursion was asked for and is there, no error.
    header.writeUInt16BE(0x8180, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(answers.length, 6);
    return Buffer.concat([header, question, ...answers]);
  }
}

function nameAt(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = headerBytes;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

/** With a time to live of 0. */
function recordOf(address: string, type: number): Buffer {
  const groups = groupsOf(address);
  const data = groups === null ? Buffer.from(address.split('.').map(Number)) : Buffer.alloc(16);
  groups?.forEach((group, i) => {
    data.writeUInt16BE(group, 2 * i);
  });
  const head = Buffer.alloc(12);
  // The name of the question.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}
