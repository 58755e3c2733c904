// The other side of a connection that is no socket: what Node's own HTTP makes of bytes, and what bytes it sends.
import { Agent, createServer, request } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** Takes what is written; what is pushed into it has come over it. Everything that Node's HTTP asks of a socket. */
export class BytesSocket extends Duplex {
  /** Ends itself when the other side does, as a socket. */
  constructor() {
    super({ allowHalfOpen: false });
  }

  readonly written: Buffer[] = [];
  /** As of a full socket: nothing more is taken. */
  isStuck = false;

  get text(): string {
    return Buffer.concat(this.written).toString('latin1');
  }

  override _read(): void {}

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    if (this.isStuck) return;
    this.written.push(piece);
    done();
  }

  /** Its own end takes a while to be said, as a socket's does. */
  override _final(done: () => void): void {
    setImmediate(() => setImmediate(done));
  }

  /** Neither is its being gone told at once. */
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => setImmediate(() => done(error)));
  }

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}

export interface ReadAnswer {
  readonly status: number;
  /** Names in lower case; values of one name in their order, with commas between. */
  readonly headers: Record<string, string>;
  readonly body: string;
  /** Its end has come, where it says that it ends. */
  readonly isWhole: boolean;
  /** Whether another request may follow on the connection. */
  readonly mayGoOn: boolean;
}

/** What Node's own client reads from these bytes and the end behind them; null where it finds no head. */
export function answerReadByNode(bytes: Buffer): Promise<ReadAnswer | null> {
  const socket = new BytesSocket();
  const agent = Object.assign(new Agent({ keepAlive: true }), { createConnection: () => socket as unknown as Socket });
  let isFree = false;
  agent.on('free', () => {
    isFree = true;
  });
  return new Promise((resolve) => {
    const asked = request({ agent, method: 'POST' });
    let isBegun = false;
    asked.on('error', () => {
      if (!isBegun) resolve(null);
    });
    asked.on('response', (answer) => {
      isBegun = true;
      const pieces: Buffer[] = [];
      const told = () => {
        const headers: Record<string, string> = {};
        for (let i = 0; i < answer.rawHeaders.length; i += 2) {
          const [name, value] = [(answer.rawHeaders[i] as string).toLowerCase(), answer.rawHeaders[i + 1] as string];
          headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
        }
        const body = Buffer.concat(pieces).toString('latin1');
        resolve({ status: answer.statusCode ?? 0, headers, body, isWhole: answer.complete, mayGoOn: isFree });
      };
      answer.on('error', () => undefined);
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('close', () => setImmediate(told));
    });
    asked.end();
    asked.on('finish', () => {
      socket.push(bytes);
      setImmediate(() => socket.push(null));
    });
  });
}

export interface ReadRequest {
  readonly method: string;
  readonly path: string;
  /** Names and values as they came, flat. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** The requests that Node's own server reads from these bytes, and whether it found something that is none. */
export function requestsReadByNode(bytes: Buffer): Promise<{ requests: readonly ReadRequest[]; isBroken: boolean }> {
  const socket = new BytesSocket();
  const server = createServer();
  const requests: ReadRequest[] = [];
  let isBroken = false;
  return new Promise((resolve) => {
    server.on('request', (asked, answer) => {
      const pieces: Buffer[] = [];
      asked.on('data', (piece: Buffer) => pieces.push(piece));
      asked.on('end', () => {
        const { method = '', url: path = '', rawHeaders } = asked;
        requests.push({ method, path, rawHeaders, body: Buffer.concat(pieces) });
        answer.end();
      });
    });
    server.on('clientError', () => {
      isBroken = true;
      socket.destroy();
    });
    socket.on('close', () => resolve({ requests, isBroken }));
    server.emit('connection', socket);
    socket.push(bytes);
    socket.push(null);
  });
}
