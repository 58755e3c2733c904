// The answer to a call of the short way: what Fastify's reply is to the doors, with as much of it as they use.
import type { ServerResponse } from 'node:http';
import type { DoorReply } from './exchange.js';

export class PlainReply implements DoorReply {
  statusCode = 200;
  /** Names and values in turns, as Node writes them. */
  private readonly lines: (string | number)[] = [];

  constructor(readonly raw: ServerResponse) {}

  status(code: number): this {
    this.statusCode = code;
    return this;
  }

  header(name: string, value: string | number): this {
    const at = this.lineOf(name);
    if (at === -1) this.lines.push(name, value);
    else this.lines[at + 1] = value;
    return this;
  }

  headers(values: Readonly<Record<string, string>>): this {
    for (const [name, value] of Object.entries(values)) this.header(name, value);
    return this;
  }

  hasHeader(name: string): boolean {
    return this.lineOf(name) !== -1;
  }

  getHeader(name: string): string | number | undefined {
    const at = this.lineOf(name);
    return at === -1 ? undefined : this.lines[at + 1];
  }

  send(body: string | Buffer = ''): this {
    this.lines.push('content-length', Buffer.byteLength(body));
    this.raw.writeHead(this.statusCode, this.lines as string[]);
    this.raw.end(body);
    return this;
  }

  /** There are a handful: a table would cost more than looking. */
  private lineOf(name: string): number {
    for (let i = 0; i < this.lines.length; i += 2) if (this.lines[i] === name) return i;
    return -1;
  }
}
