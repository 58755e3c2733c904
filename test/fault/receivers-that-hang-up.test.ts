// Receivers over real sockets that close, speak unasked, answer too early or never greet: no call is lost, none gets another's answer.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ConfigWatch } from '#src/config-watch/config-watch.js';
import type { EgressSettings } from '#src/config-watch/settings.js';
import { SystemClock } from '#src/message/clock.js';
import { HttpTarget } from '#src/target/http/http.target.js';
import { Authority } from '../support/certificates.js';
import { bodied, deliveryTo } from '../support/deliveries.js';
import { socketsTo } from '../support/sockets.js';
import { until } from '../support/until.js';

const patienceMs = 60_000;

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** A connection at the receiver's end, and how many requests have come over it. */
interface Seen {
  readonly socket: Socket;
  requests: number;
}

/** Speaks no HTTP of itself: it counts requests, whose bodies end in a full stop, and does what it is told to. */
class Receiver {
  readonly seen: Seen[] = [];
  private server: Server | null = null;

  constructor(private readonly told: (seen: Seen, all: number) => void) {}

  get port(): number {
    return portOf(this.server as Server);
  }

  /** Of all connections. */
  get requests(): number {
    return this.seen.reduce((sum, { requests }) => sum + requests, 0);
  }

  async listen(server: Server = createServer(), host = '127.0.0.1'): Promise<this> {
    this.server = server;
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => {
      // What is written is on its way at once.
      socket.setNoDelay(true);
      const seen = { socket, requests: 0 };
      this.seen.push(seen);
      socket.on('error', () => undefined);
      socket.on('data', (bytes: Buffer) => {
        if (bytes.at(-1) !== 0x2e) return;
        seen.requests += 1;
        this.told(seen, this.requests);
      });
    });
    server.listen(0, host);
    await once(server, 'listening');
    return this;
  }

  async close(): Promise<void> {
    for (const { socket } of this.seen) socket.destroy();
    await new Promise((resolve) => this.server?.close(resolve));
  }
}

const egress: EgressSettings = {
  allow: ['127.0.0.1', '::1'],
  ports: null,
  schemes: ['http', 'https'],
  dnsServers: null,
  tls: { certFile: null, keyFile: null, caFile: null, origins: null },
};

let settings: { egress: EgressSettings; reply: { maxBytes: number } };
let target: HttpTarget;
const receivers: Receiver[] = [];

function newTarget(changes: Partial<EgressSettings> = {}): HttpTarget {
  settings = { egress: { ...egress, ...changes }, reply: { maxBytes: 1000 } };
  const configWatch = {
    get settings() {
      return settings;
    },
  } as unknown as ConfigWatch;
  return new HttpTarget(new SystemClock(), configWatch);
}

beforeEach(() => {
  target = newTarget();
});

afterEach(async () => {
  await target.close();
  for (const receiver of receivers.splice(0)) await receiver.close();
});

async function receive(told: (seen: Seen, all: number) => void, ...how: Parameters<Receiver['listen']>) {
  const receiver = new Receiver(told);
  receivers.push(receiver);
  return await receiver.listen(...how);
}

const signal = new AbortController().signal;
const send = (to: Receiver | string, { body = Buffer.from('body.'), timeoutMs = patienceMs } = {}) =>
  target.send(
    deliveryTo(typeof to === 'string' ? to : `http://127.0.0.1:${to.port}/`, timeoutMs, bodied(body)),
    signal,
  );

const answer = (status: number, ...fields: string[]) =>
  `HTTP/1.1 ${status} X\r\n${[...fields, 'content-length: 0'].join('\r\n')}\r\n\r\n`;

test('one that closes without a word after each answer gets each call once, at its first attempt', async () => {
  for (const closes of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const receiver = await receive(({ socket }) => socket.write(answer(200), () => socket[closes]()));
    for (let i = 1; i <= 20; i += 1) {
      expect(await send(receiver)).toMatchObject({ kind: 'delivered', status: 200 });
      await until('its end has come here', async () => (await socketsTo(process.pid, receiver.port)) === 0);
      expect(receiver.requests).toBe(i);
    }
    expect(receiver.seen).toHaveLength(20);
  }
});

test.each<[string, (socket: Socket) => Promise<void> | void]>([
  ['in one piece with the first', () => undefined],
  ['right behind the first', (socket) => void setImmediate(() => socket.write(answer(500)))],
  [
    'while nothing is asked',
    async (socket) => {
      await turn();
      socket.write(answer(500));
      await until('it has been read', () => socket.destroyed || socket.readableEnded);
    },
  ],
])('a second answer, %s, is never the answer to the next call', async (when, second) => {
  const receiver = await receive(({ socket }, all) => {
    const isFirst = all % 2 === 1;
    socket.write(isFirst ? answer(201) + (when === 'in one piece with the first' ? answer(500) : '') : answer(202));
    if (isFirst) void second(socket);
  });
  for (let i = 0; i < 10; i += 1) {
    expect(await send(receiver)).toMatchObject({ status: 201 });
    const last = receiver.seen.at(-1) as Seen;
    await until('the first connection is given up', () => last.socket.destroyed || last.socket.readableEnded);
    expect(await send(receiver)).toMatchObject({ status: 202 });
  }
});

test('100 calls at once take 100 connections, and the same 100 the next time', async () => {
  let waiting: Socket[] = [];
  const receiver = await receive(({ socket }) => {
    waiting.push(socket);
    if (waiting.length < 100) return;
    for (const one of waiting) one.write(answer(200));
    waiting = [];
  });
  for (let round = 1; round <= 3; round += 1) {
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => send(receiver)));
    expect(outcomes.every(({ kind }) => kind === 'delivered')).toBe(true);
    expect(receiver.seen.map(({ requests }) => requests)).toEqual(Array.from({ length: 100 }, () => round));
  }
  expect(await socketsTo(process.pid, receiver.port)).toBe(100);
  await target.close();
  await until('none is left', async () => (await socketsTo(process.pid, receiver.port)) === 0);
  await until('the receiver has seen it', () => receiver.seen.every(({ socket }) => socket.destroyed));
});

test('a connection whose receiver answers before it has read the request is not used again', async () => {
  const receiver = await receive(() => undefined);
  const early = createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    receiver.seen.push({ socket, requests: 0 });
    socket.write(answer(200));
  });
  early.listen(0, '127.0.0.1');
  await once(early, 'listening');
  const url = `http://127.0.0.1:${portOf(early)}/`;
  const body = Buffer.alloc(16 * 1_048_576, '.');
  expect(await send(url, { body })).toMatchObject({ kind: 'delivered', status: 200 });
  expect(await send(url, { body })).toMatchObject({ kind: 'delivered', status: 200 });
  expect(receiver.seen).toHaveLength(2);
  for (const { socket } of receiver.seen) socket.destroy();
  early.close();
});

test('after a change of the rules each call goes over a connection that was made under them', async () => {
  const held: Socket[] = [];
  let isHeld = true;
  const receiver = await receive(({ socket }) => {
    if (isHeld) held.push(socket);
    else socket.write(answer(200));
  });
  const first = send(receiver);
  await until('it has come', () => held.length === 1);
  isHeld = false;
  expect(await send(receiver)).toMatchObject({ status: 200 });
  const idle = receiver.seen[1] as Seen;
  settings = { ...settings, egress: { ...egress, allow: ['127.0.0.0/8'] } };
  expect(await send(receiver)).toMatchObject({ status: 200 });
  await until('the idle one is closed', () => idle.socket.destroyed);
  expect([receiver.seen.length, idle.requests]).toEqual([3, 1]);
  held[0]?.write(answer(204));
  expect(await first).toMatchObject({ status: 204 });
  await until('the one in use is closed', () => receiver.seen[0]?.socket.destroyed);
});

test('a receiver by its IPv6 address', async (context) => {
  const has = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  if (!has) context.skip('this machine has no ::1');
  const receiver = await receive(({ socket }) => void socket.write(answer(200)), createServer(), '::1');
  for (let i = 0; i < 2; i += 1)
    expect(await send(`http://[::1]:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  expect(receiver.seen.map(({ requests }) => requests)).toEqual([2]);
});

test('over TLS a connection is kept, and one whose receiver never greets is closed at the deadline', async () => {
  const authority = new Authority();
  const { cert, key } = authority.issue('receiver');
  await target.close();
  target = newTarget({ tls: { ...egress.tls, caFile: authority.caFile } });
  const receiver = await receive(({ socket }) => void socket.write(answer(200)), createTlsServer({ cert, key }));
  for (let i = 0; i < 3; i += 1)
    expect(await send(`https://127.0.0.1:${receiver.port}/`)).toMatchObject({ kind: 'delivered' });
  expect(receiver.seen.map(({ requests }) => requests)).toEqual([3]);

  const mute = await receive(() => undefined);
  const outcome = await send(`https://127.0.0.1:${mute.port}/`, { timeoutMs: 200 });
  expect(outcome).toMatchObject({ kind: 'retry', reason: 'timeout', status: 0 });
  await until('its connection is closed', () => mute.seen.length === 1 && mute.seen[0]?.socket.destroyed);
  const abrupt = await receive(() => undefined);
  const sending = send(`https://127.0.0.1:${abrupt.port}/`);
  await until('it greets', () => (abrupt.seen[0]?.socket.bytesRead ?? 0) > 0);
  abrupt.seen[0]?.socket.resetAndDestroy();
  expect(await sending).toMatchObject({ kind: 'retry', reason: 'connection', status: 0 });
  // Plain words to one that expects TLS.
  expect(await send(receiver)).toMatchObject({ kind: 'retry', reason: 'connection', status: 0 });
  await until('all are closed but the kept one', async () => (await socketsTo(process.pid, receiver.port)) === 1);
  authority.dispose();
});
