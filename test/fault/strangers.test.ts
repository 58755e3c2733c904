// Callers who mean harm: endless headers, huge and deep bodies. Answered or cut, memory stays flat, others are served.
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig } from '../support/bigpipe-process.js';
import { residentBytes } from '../support/sockets.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

/** What a moment's garbage takes; a body that is kept would be five times that. */
const flatBytes = 200 * 2 ** 20;
const gibibyte = 2 ** 30;

let bigpipe: BigpipeProcess;
let target: TargetServer;
const open: Stranger[] = [];

beforeAll(async () => {
  target = await TargetServer.start();
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'http.server.read.timeout': 10_000 }) });
  for (let i = 0; i < 50; i += 1) await served();
});

afterAll(async () => {
  await bigpipe.dispose();
  await target.close();
});

afterEach(() => {
  for (const stranger of open.splice(0)) stranger.socket.destroy();
});

/** One raw connection: what it got, and whether it was cut. */
class Stranger {
  readonly socket: Socket;
  answer = '';
  sentBytes = 0;

  constructor(head: string) {
    this.socket = connect({ port: bigpipe.port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (bytes) => {
      this.answer += bytes.toString('utf8');
    });
    this.socket.write(head);
    open.push(this);
  }

  get isOver(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.answer)?.[1] ?? 0);
  }

  /** Sends the piece again and again, as fast as it is taken, until the other side has had enough, or `maxBytes` are sent. */
  pour(piece: Buffer, maxBytes: number): void {
    const more = () => {
      while (!this.isOver && this.socket.writable && this.sentBytes < maxBytes) {
        this.sentBytes += piece.length;
        if (!this.socket.write(piece)) {
          this.socket.once('drain', more);
          return;
        }
      }
    };
    more();
  }
}

async function served(): Promise<void> {
  const { status, body } = await bigpipe.call({ url: target.url(), data: 'honest' });
  expect({ status, errno: body.errno }).toEqual({ status: 200, errno: 0 });
}

/** Calls of an honest caller go on until all strangers have had their end; resolves to how much memory grew meanwhile. */
async function grownWhile(strangers: readonly Stranger[], isOver: (stranger: Stranger) => boolean): Promise<number> {
  const before = await residentBytes(bigpipe.child.pid as number);
  let most = before;
  await until('they have had their end', async () => {
    await served();
    most = Math.max(most, await residentBytes(bigpipe.child.pid as number));
    return strangers.every(isOver);
  });
  return most - before;
}

const times = (count: number, make: () => Stranger) => Array.from({ length: count }, make);
const head = (headers: string, door = '/rpc/call') => `POST ${door} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const doors = ['/rpc/call', '/commit?topic=test', '/v1/messages', '/v1/messages:batch'];

test('endless headers are cut', async () => {
  const strangers = times(10, () => new Stranger('POST /rpc/call HTTP/1.1\r\nHost: x\r\n'));
  const piece = Buffer.from(`X-More: ${'a'.repeat(1000)}\r\n`.repeat(10));
  for (const stranger of strangers) stranger.pour(piece, gibibyte);
  expect(await grownWhile(strangers, ({ isOver }) => isOver)).toBeLessThan(flatBytes);
  for (const { status, sentBytes } of strangers) {
    expect([0, 431]).toContain(status);
    expect(sentBytes).toBeLessThan(gibibyte / 16);
  }
});

test('one header without an end is cut', async () => {
  const strangers = times(10, () => new Stranger('POST /rpc/call HTTP/1.1\r\nHost: x\r\nX-More: '));
  for (const stranger of strangers) stranger.pour(Buffer.alloc(10_000, 'a'), gibibyte);
  expect(await grownWhile(strangers, ({ isOver }) => isOver)).toBeLessThan(flatBytes);
  for (const { sentBytes } of strangers) expect(sentBytes).toBeLessThan(gibibyte / 16);
});

test('too many headers are refused, and as many as allowed are not', async () => {
  const body = 'Content-Length: 2\r\n';
  const many = (count: number) => new Stranger(`${head(body + 'a: b\r\n'.repeat(count - 2))}{}`);
  const [allowed, past] = [many(100), many(101)];
  await until('both are answered', () => allowed.status !== 0 && past.status !== 0);
  expect(allowed.status).toBe(200);
  expect(past.status).toBe(431);
  expect(past.answer).toContain('more than 100 headers');
});

test.each(doors)('a body of a gigabyte that says so is refused before it comes: %s', async (door) => {
  const strangers = times(10, () => new Stranger(head(`Content-Length: ${gibibyte}\r\n`, door)));
  for (const stranger of strangers) stranger.pour(Buffer.alloc(65_536, 'a'), gibibyte);
  expect(await grownWhile(strangers, ({ isOver }) => isOver)).toBeLessThan(flatBytes);
  for (const { sentBytes } of strangers) expect(sentBytes).toBeLessThan(gibibyte / 16);
});

test.each(doors)('a body of a gigabyte in pieces is cut at the bound: %s', async (door) => {
  const strangers = times(10, () => new Stranger(head('Transfer-Encoding: chunked\r\n', door)));
  const piece = Buffer.from(`10000\r\n${'a'.repeat(65_536)}\r\n`);
  for (const stranger of strangers) stranger.pour(piece, gibibyte);
  expect(await grownWhile(strangers, ({ isOver }) => isOver)).toBeLessThan(flatBytes);
  for (const { sentBytes } of strangers) expect(sentBytes).toBeLessThan(gibibyte / 16);
});

test.each(doors)('a body past the bound is answered 413 where its sender listens: %s', async (door) => {
  const large = new Stranger(head('Content-Length: 1048577\r\n', door));
  await until('it is answered', () => large.status !== 0);
  expect(large.status).toBe(413);
  await until('it is cut', () => large.isOver);
});

test('JSON that is 10,000 and 500,000 deep is refused, and costs others nothing', async () => {
  const deep = (levels: number) => {
    const body = `{"url":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    return new Stranger(head(`Content-Length: ${body.length}\r\n`) + body);
  };
  const strangers = [10_000, 500_000].flatMap((levels) => times(10, () => deep(levels)));
  expect(await grownWhile(strangers, ({ status }) => status !== 0)).toBeLessThan(flatBytes);
  for (const { answer } of strangers) expect(answer).toContain('"msg":"JSON无效: nested deeper than 64 levels"');
});
