// Connections to receivers that close, speak unasked, or are cut: no request is lost or sent twice, no answer is taken for another's.
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import type { Exchange } from '#src/target/http/connection.js';
import { ConnectionPool } from '#src/target/http/connection-pool.js';
import type { Connector } from '#src/target/http/connectors.js';
import { IdleConnections } from '#src/target/http/idle-connections.js';
import { piecesOf } from '#src/target/http/request-bytes.js';
import { BytesSocket } from '../../../support/bytes-socket.js';
import { FakeClock } from '../../../support/fake-clock.js';

type Connected = Parameters<Connector>[1];

interface Made {
  readonly socket: BytesSocket;
  readonly connected: () => void;
  readonly refused: (error: Error) => void;
}

const origin = 'http://receiver.test:8080';
let clock: FakeClock;
let idle: IdleConnections;
/** Every socket that was asked for. */
let made: Made[];
let pool: ConnectionPool;
let isEmpty: boolean;

const connector = ((_options: unknown, callback: Connected) => {
  const socket = new BytesSocket();
  const told = callback as (...all: unknown[]) => void;
  made.push({ socket, connected: () => told(null, socket), refused: (error) => told(error, null) });
  return socket;
}) as unknown as Connector;

beforeEach(() => {
  clock = new FakeClock();
  idle = new IdleConnections(clock);
  made = [];
  isEmpty = false;
  pool = new ConnectionPool(origin, connector, idle, () => {
    isEmpty = true;
  });
});

const socketAt = (at: number) => (made[at] as Made).socket;

/** A request as an attempt makes it, and what it is told. */
function ask(path = '/', body = 'x') {
  const told: string[] = [];
  const connection = pool.take();
  const exchange: Exchange = {
    head: (status) => told.push(`${status}`),
    data: (piece) => told.push(piece.toString()),
    ended: (mayGoOn) => {
      told.push(mayGoOn ? 'ended' : 'ended for good');
      if (mayGoOn) pool.release(connection);
      else pool.cut(connection);
    },
    failed: (error) => {
      told.push(`${error.name}: ${error.message}`);
      pool.cut(connection);
    },
  };
  connection.send(piecesOf({ method: 'POST', path, headers: [], body: Buffer.from(body) }, pool.origin.host), exchange);
  return { connection, told };
}

const answer = (status: number, ...fields: string[]) =>
  `HTTP/1.1 ${status} X\r\n${[...fields, 'content-length: 0'].join('\r\n')}\r\n\r\n`;

/** What comes over a socket, read. */
async function comes(socket: BytesSocket, text: string | null): Promise<void> {
  socket.push(text);
  await turn();
}

/** What a socket says of its end comes a few turns later. */
async function told(): Promise<void> {
  for (let i = 0; i < 6; i += 1) await turn();
}

/** A first request, answered; its connection is kept. */
async function keptConnection(...fields: string[]): Promise<BytesSocket> {
  const asked = ask('/first');
  const there = made.at(-1) as Made;
  there.connected();
  await comes(there.socket, answer(200, ...fields));
  expect(asked.told).toEqual(['200', 'ended']);
  return there.socket;
}

const requestsIn = (socket: BytesSocket) => [...socket.text.matchAll(/POST (\S+) /g)].map(([, path]) => path);

test('a request goes out once its connection is there, the next one over the same at the end of the turn', async () => {
  const first = ask('/first');
  await turn();
  expect(socketAt(0).text).toBe('');
  made[0]?.connected();
  expect(requestsIn(socketAt(0))).toEqual(['/first']);
  await comes(socketAt(0), answer(200));
  const second = ask('/second');
  expect(requestsIn(socketAt(0))).toEqual(['/first']);
  await turn();
  expect(requestsIn(socketAt(0))).toEqual(['/first', '/second']);
  await comes(socketAt(0), answer(500));
  expect([first.told, second.told, made.length]).toEqual([['200', 'ended'], ['500', 'ended'], 1]);
});

test('the last used connection is used first', async () => {
  const asked = [ask('/a'), ask('/b')];
  for (const { connected } of made) connected();
  await comes(socketAt(1), answer(200));
  await comes(socketAt(0), answer(200));
  expect(asked.map(({ told }) => told)).toEqual([
    ['200', 'ended'],
    ['200', 'ended'],
  ]);
  ask('/c');
  await turn();
  expect([requestsIn(socketAt(0)), requestsIn(socketAt(1))]).toEqual([['/a', '/c'], ['/b']]);
});

test.each<[string, (socket: BytesSocket) => void]>([
  ['is closed', (socket) => socket.push(null)],
  ['is reset', (socket) => socket.destroy(new Error('read ECONNRESET'))],
  ['is closed without a word', (socket) => socket.destroy()],
  ['brings a second answer', (socket) => socket.push(answer(500))],
  ['brings half of one', (socket) => socket.push('HTTP/1.1 5')],
  ['brings a line end', (socket) => socket.push('\r\n')],
])('a kept connection that %s before a request is written: it goes over a new one, once', async (_what, happens) => {
  const before = await keptConnection();
  const asked = ask('/second');
  happens(before);
  await told();
  expect(before.destroyed).toBe(true);
  expect(made).toHaveLength(2);
  made[1]?.connected();
  // What the old socket may still say is nobody's.
  before.emit('data', Buffer.from(answer(500)));
  before.emit('error', new Error('late'));
  before.emit('end');
  before.emit('close');
  await comes(socketAt(1), answer(202));
  expect(asked.told).toEqual(['202', 'ended']);
  expect([requestsIn(before), requestsIn(socketAt(1))]).toEqual([['/first'], ['/second']]);
  ask('/third');
  await turn();
  expect(requestsIn(socketAt(1))).toEqual(['/second', '/third']);
});

test.each<[string, (socket: BytesSocket) => void]>([
  ['is closed', (socket) => socket.push(null)],
  ['is reset', (socket) => socket.destroy(new Error('read ECONNRESET'))],
  ['brings a second answer', (socket) => socket.push(answer(500))],
])('an idle connection that %s is gone', async (_what, happens) => {
  const before = await keptConnection();
  happens(before);
  await told();
  expect([before.destroyed, isEmpty]).toEqual([true, true]);
  ask('/second');
  expect(made).toHaveLength(2);
});

test.each([
  ['an answer', answer(500)],
  ['a line end', '\r\n'],
])('%s behind the answer, in one piece with it: the connection is not used again', async (_what, more) => {
  const first = ask('/first');
  made[0]?.connected();
  await comes(socketAt(0), answer(200) + more);
  expect([first.told, socketAt(0).destroyed]).toEqual([['200', 'ended for good'], true]);
});

test.each<[string, (socket: BytesSocket) => void, string]>([
  ['closed', (socket) => socket.push(null), 'the other side closed the connection'],
  ['reset', (socket) => socket.destroy(new Error('ECONNRESET')), 'ECONNRESET'],
  ['gone', (socket) => socket.destroy(), 'the connection was closed'],
  ['no HTTP', (socket) => socket.push('\x16\x03\x01'), 'the answer is no HTTP/1.1'],
])(
  'of a request that was written and whose connection is %s its attempt is told, once, and nothing is sent again',
  async (_what, happens, why) => {
    const before = await keptConnection();
    const asked = ask('/second');
    await turn();
    expect(requestsIn(before)).toEqual(['/first', '/second']);
    happens(before);
    await turn();
    await turn();
    expect(asked.told).toEqual([expect.stringContaining(why)]);
    expect([made.length, before.destroyed, isEmpty]).toEqual([1, true, true]);
  },
);

test('a connection that is refused is told of, once', async () => {
  const asked = ask();
  made[0]?.refused(new Error('connect ECONNREFUSED'));
  expect([asked.told, socketAt(0).destroyed, isEmpty]).toEqual([['Error: connect ECONNREFUSED'], true, true]);
});

test('cut while it is being made: nothing is written and nobody is told, whatever becomes of it', async () => {
  const asked = [ask(), ask()];
  for (const { connection } of asked) pool.cut(connection);
  expect([socketAt(0).destroyed, socketAt(1).destroyed, isEmpty]).toEqual([true, true, true]);
  made[0]?.connected();
  made[1]?.refused(new Error('late'));
  await turn();
  expect(asked.map(({ told }) => told)).toEqual([[], []]);
  expect([socketAt(0).text, socketAt(1).text]).toEqual(['', '']);
});

test('cut while it waits for the end of the turn: nothing is written', async () => {
  const before = await keptConnection();
  const asked = ask('/second');
  pool.cut(asked.connection);
  await turn();
  expect([requestsIn(before), before.destroyed, made.length]).toEqual([['/first'], true, 1]);
  expect(asked.told).toEqual([]);
});

test('cut within an answer: nothing more of it is told', async () => {
  const asked = ask();
  made[0]?.connected();
  await comes(socketAt(0), 'HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc');
  pool.cut(asked.connection);
  socketAt(0).emit('data', Buffer.from('def'));
  await turn();
  expect(asked.told).toEqual(['200', 'abc']);
});

test('an answer that comes before a large request has gone out: the connection is not used again', async () => {
  const asked = ask('/', 'y'.repeat(100_000));
  socketAt(0).isStuck = true;
  made[0]?.connected();
  await comes(socketAt(0), answer(200));
  expect([asked.told, socketAt(0).destroyed]).toEqual([['200', 'ended for good'], true]);
});

test.each([
  ['connection: close', 0],
  ['keep-alive: timeout=0', 0],
  ['keep-alive: timeout=1', 0],
  ['keep-alive: timeout=5, max=100', 4000],
  ['Keep-Alive: max=7, Timeout=5', 4000],
  ['keep-alive: timeout=600', 30_000],
  ['keep-alive: timeout=999999999999', 30_000],
  ['keep-alive: xtimeout=5', 30_000],
  ['keep-alive: timeout=-5', 30_000],
  ['x: y', 30_000],
])('after an answer with %j its connection is used for %i ms', async (field, keptMs) => {
  const first = ask('/first');
  made[0]?.connected();
  await comes(socketAt(0), answer(200, field));
  expect(first.told).toEqual(['200', keptMs === 0 ? 'ended for good' : 'ended']);
  if (keptMs > 0) {
    clock.advance(keptMs - 1);
    ask('/second');
    await turn();
    await comes(socketAt(0), answer(200, field));
    expect(requestsIn(socketAt(0))).toEqual(['/first', '/second']);
    clock.advance(keptMs);
  }
  ask('/last');
  expect([made.length, socketAt(0).destroyed]).toEqual([2, true]);
});

test('what a receiver said of how long it keeps a connection holds until it says something else', async () => {
  const socket = await keptConnection('keep-alive: timeout=3');
  ask('/second');
  await turn();
  await comes(socket, answer(200));
  clock.advance(20_000);
  ask('/third');
  await turn();
  expect(requestsIn(socket)).toEqual(['/first', '/second', '/third']);
});

test('an idle connection is closed when its time is over, also when nobody asks, and then no timer is left', async () => {
  const [long, short] = [ask('/long'), ask('/short')];
  for (const { connected } of made) connected();
  await comes(socketAt(0), answer(200));
  await comes(socketAt(1), answer(200, 'keep-alive: timeout=3'));
  expect([long.told, short.told]).toEqual([
    ['200', 'ended'],
    ['200', 'ended'],
  ]);
  clock.advance(1900);
  expect(made.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
  clock.advance(1200);
  expect(made.map(({ socket }) => socket.destroyed)).toEqual([false, true]);
  clock.advance(28_000);
  expect(made.map(({ socket }) => socket.destroyed)).toEqual([true, true]);
  expect([isEmpty, clock.pending]).toEqual([true, 0]);
});

test('of more than 16,384 idle connections, of all origins, the one unused for longest is closed', async () => {
  const other = new ConnectionPool('http://other.test', connector, idle, () => undefined);
  const connections = Array.from({ length: 16_385 }, (_, i) => {
    const of = i % 2 === 0 ? pool : other;
    const connection = of.take();
    connection.send(piecesOf({ method: 'POST', path: '/', headers: [], body: null }, 'x'), {
      head: () => undefined,
      data: () => undefined,
      ended: () => of.release(connection),
      failed: (error) => expect.fail(error.message),
    });
    return connection;
  });
  for (const { connected } of made) connected();
  for (const { socket } of made.slice(0, 16_384)) socket.emit('data', Buffer.from(answer(200)));
  expect(made.some(({ socket }) => socket.destroyed)).toBe(false);
  socketAt(16_384).emit('data', Buffer.from(answer(200)));
  expect(made.flatMap(({ socket }, i) => (socket.destroyed ? [i] : []))).toEqual([0]);
  pool.cut(connections[2] as (typeof connections)[number]);
  other.close();
  pool.close();
  idle.close();
  expect(made.every(({ socket }) => socket.destroyed)).toBe(true);
  expect([isEmpty, clock.pending]).toEqual([true, 0]);
});

test('once the rules have changed idle connections are closed, and those in use after their answer', async () => {
  const [first, second] = [ask('/first'), ask('/second')];
  for (const { connected } of made) connected();
  await comes(socketAt(0), answer(200));
  pool.retire();
  expect(made.map(({ socket }) => socket.destroyed)).toEqual([true, false]);
  expect(isEmpty).toBe(false);
  await comes(socketAt(1), answer(200));
  expect([first.told, second.told]).toEqual([
    ['200', 'ended'],
    ['200', 'ended'],
  ]);
  expect([socketAt(1).destroyed, isEmpty]).toEqual([true, true]);
});
