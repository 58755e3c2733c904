// Receivers that break HTTP in every way: each message ends by the rules, and nobody else notices.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BigpipeProcess, baseConfig, baseConsumer, type Stats } from '../support/bigpipe-process.js';
import { handlesBeside, residentBytes, socketsTo } from '../support/sockets.js';
import { deadLetters } from '../support/stored-log.js';
import { TargetServer } from '../support/target-server.js';
import { until } from '../support/until.js';

interface Lie {
  readonly name: string;
  /** Called once the first bytes of a request are there. */
  readonly tell: (socket: Socket) => void;
  /** Written before any of it is. */
  readonly first?: string;
  /** A status: the head arrived, and decides. 0: no status ever arrived. */
  readonly status: number;
  readonly end: 'delivered' | 'rejected' | 'exhausted';
}

const retries = 1;
const callsEach = 2;

const head = (status: number, ...fields: string[]) => `HTTP/1.1 ${status} X\r\n${fields.join('\r\n')}\r\n\r\n`;

/** Answers that say the same to whoever reads them loosely, and might say something else to somebody in between. */
const noAnswers: Readonly<Record<string, string>> = {
  'lf-alone': 'HTTP/1.1 200 OK\ncontent-length: 0\n\n',
  'lf-alone-behind-a-field': 'HTTP/1.1 200 OK\r\nx: y\ncontent-length: 0\r\n\r\n',
  'cr-alone': 'HTTP/1.1 200 OK\r\nx: y\rcontent-length: 0\r\n\r\n',
  'nul-in-a-value': head(200, 'x: a\0b', 'content-length: 0'),
  'space-before-the-colon': head(200, 'content-length : 0'),
  'field-without-a-name': head(200, ': x', 'content-length: 0'),
  'field-without-a-colon': head(200, 'x', 'content-length: 0'),
  'folded-first-field': head(200, ' x: y', 'content-length: 0'),
  'two-status-lines': `HTTP/1.1 200 X\r\n${head(200, 'content-length: 0')}`,
  'status-of-two-digits': 'HTTP/1.1 20 X\r\ncontent-length: 0\r\n\r\n',
  'another-version': 'HTTP/2.0 200 X\r\ncontent-length: 0\r\n\r\n',
  'length-with-a-plus': `${head(200, 'content-length: +1')}a`,
  'length-in-hexadecimal': `${head(200, 'content-length: 0x1')}a`,
  'length-as-a-list': `${head(200, 'content-length: 1, 1')}a`,
  'length-empty': head(200, 'content-length:'),
  'length-and-chunks': `${head(200, 'transfer-encoding: chunked', 'content-length: 6')}1\r\na\r\n0\r\n\r\n`,
  'chunks-and-no-coding': `${head(200, 'transfer-encoding: chunked', 'transfer-encoding:')}0\r\n\r\n`,
  'tls-on-a-plain-port': '\x15\x03\x01\x00\x02\x02\x46',
};

/** The head is one, and decides; the body is none. */
const noBodies: Readonly<Record<string, string>> = {
  'chunk-with-a-plus': '+1\r\na\r\n0\r\n\r\n',
  'chunk-with-a-minus': '-1\r\na\r\n0\r\n\r\n',
  'chunk-0x': '0x1\r\na\r\n0\r\n\r\n',
  'chunk-beyond-numbers': 'fffffffffffffffff\r\na\r\n0\r\n\r\n',
  'chunk-of-1-in-64-bits': '10000000000000001\r\na\r\n0\r\n\r\n',
  'chunk-without-a-size': '\r\na\r\n0\r\n\r\n',
  'chunk-and-lf-alone': '1\na\n0\n\n',
  'chunk-of-spaces': `1;${' '.repeat(16_000)}\x01\r\na\r\n0\r\n\r\n`,
  'chunk-longer-than-it-says': '1\r\nabc\r\n0\r\n\r\n',
  'trailer-that-is-none': '1\r\na\r\n0\r\nx\r\n\r\n',
};

/** Writes the same bytes again and again; in turns, so that one liar leaves the others their share of this process. */
function forever(socket: Socket, bytes: string | Buffer): void {
  const timer = setInterval(() => {
    if (!socket.writableNeedDrain) socket.write(bytes);
  }, 1);
  socket.on('close', () => clearInterval(timer));
}

/** One byte at a time, the last ones again and again. */
function drip(socket: Socket, text: string): void {
  let at = 0;
  const timer = setInterval(() => {
    socket.write(text[at % text.length] as string);
    at += 1;
  }, 20);
  socket.on('close', () => clearInterval(timer));
}

const bomb = gzipSync(Buffer.alloc(50 * 1_048_576));

const lies: readonly Lie[] = [
  { name: 'never-answers', tell: () => undefined, status: 0, end: 'exhausted' },
  { name: 'closes-unanswered', tell: (s) => s.end(), status: 0, end: 'exhausted' },
  { name: 'resets', tell: (s) => s.resetAndDestroy(), status: 0, end: 'exhausted' },
  { name: 'garbage', tell: (s) => s.write('\0\xffI am not HTTP\r\n\r\n'), status: 0, end: 'exhausted' },
  { name: 'broken-head', tell: (s) => s.end('HTTP/1.1 200 OK\r\nContent-Le'), status: 0, end: 'exhausted' },
  {
    name: 'broken-body-200',
    tell: (s) => s.end(`${head(200, 'content-length: 100')}ten bytes.`),
    status: 200,
    end: 'delivered',
  },
  {
    name: 'broken-body-500',
    tell: (s) => s.end(`${head(500, 'content-length: 100')}ten bytes.`),
    status: 500,
    end: 'exhausted',
  },
  {
    name: 'head-then-reset',
    tell: (s) => s.write(head(200, 'content-length: 100'), () => setImmediate(() => s.resetAndDestroy())),
    // Whether the head is read before the reset is the kernel's to say; see below.
    status: -1,
    end: 'delivered',
  },
  {
    name: 'endless-body-200',
    tell: (s) => {
      s.write(head(200));
      forever(s, Buffer.alloc(65_536, 'x'));
    },
    status: 200,
    end: 'delivered',
  },
  {
    name: 'endless-body-400',
    tell: (s) => {
      s.write(head(400, 'transfer-encoding: chunked'));
      forever(s, `4000\r\n${'y'.repeat(0x4000)}\r\n`);
    },
    status: 400,
    end: 'rejected',
  },
  {
    name: 'endless-header',
    tell: (s) => {
      s.write('HTTP/1.1 200 OK\r\n');
      forever(s, `x-more: ${'z'.repeat(1000)}\r\n`);
    },
    status: 0,
    end: 'exhausted',
  },
  {
    name: 'length-too-small',
    tell: (s) => s.write(`${head(200, 'content-length: 1')}much more than one byte`),
    status: 200,
    end: 'delivered',
  },
  {
    name: 'length-too-large',
    tell: (s) => s.write(`${head(200, 'content-length: 1000')}less`),
    status: 200,
    end: 'delivered',
  },
  { name: 'length-negative', tell: (s) => s.write(head(200, 'content-length: -1')), status: 0, end: 'exhausted' },
  {
    name: 'length-twice',
    tell: (s) => s.write(`${head(200, 'content-length: 1', 'content-length: 2')}ab`),
    status: 0,
    end: 'exhausted',
  },
  { name: 'flood-of-1xx', tell: (s) => forever(s, head(103, 'link: <a>').repeat(100)), status: 0, end: 'exhausted' },
  {
    name: '1xx-then-204',
    tell: (s) => s.write(head(103, 'link: <a>').repeat(500) + head(204, 'connection: close')),
    status: 204,
    end: 'delivered',
  },
  {
    name: 'upgrades',
    tell: (s) => s.write(head(101, 'upgrade: x', 'connection: upgrade')),
    status: 0,
    end: 'exhausted',
  },
  {
    name: 'gzip-bomb-200',
    tell: (s) => s.end(Buffer.concat([Buffer.from(head(200, 'content-encoding: gzip')), bomb])),
    status: 200,
    end: 'delivered',
  },
  {
    name: 'gzip-bomb-404',
    tell: (s) => s.end(Buffer.concat([Buffer.from(head(404, 'content-encoding: gzip')), bomb])),
    status: 404,
    end: 'rejected',
  },
  {
    name: 'answers-twice',
    tell: (s) => s.write(head(200, 'content-length: 0').repeat(2)),
    status: 200,
    end: 'delivered',
  },
  {
    name: 'length-beyond-numbers',
    tell: (s) => s.write(head(200, 'content-length: 99999999999999999999999')),
    status: 0,
    end: 'exhausted',
  },
  {
    name: 'endless-status-line',
    tell: (s) => {
      s.write('HTTP/1.1 200 ');
      forever(s, 'O'.repeat(1000));
    },
    status: 0,
    end: 'exhausted',
  },
  {
    name: 'endless-chunk-extension',
    tell: (s) => {
      s.write(`${head(200, 'transfer-encoding: chunked')}5;x=`);
      forever(s, 'e'.repeat(1000));
    },
    status: 200,
    end: 'delivered',
  },
  {
    name: 'endless-trailers',
    tell: (s) => {
      s.write(`${head(200, 'transfer-encoding: chunked')}0\r\n`);
      forever(s, `x-more: ${'z'.repeat(1000)}\r\n`);
    },
    status: 200,
    end: 'delivered',
  },
  {
    name: 'drips-head',
    tell: (s) => drip(s, `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(9999)}`),
    status: 0,
    end: 'exhausted',
  },
  {
    name: 'drips-body',
    tell: (s) => {
      s.write(head(200, 'content-length: 100000'));
      drip(s, 'b');
    },
    status: 200,
    end: 'delivered',
  },
  {
    name: 'endless-short-trailers',
    tell: (s) => {
      s.write(`${head(200, 'transfer-encoding: chunked')}0\r\n`);
      forever(s, 'x:\r\n'.repeat(250));
    },
    status: 200,
    end: 'delivered',
  },
  { name: 'endless-empty-lines', tell: (s) => forever(s, '\r\n'.repeat(500)), status: 0, end: 'exhausted' },
  {
    name: 'chunks-twice',
    tell: (s) => s.write(`${head(200, 'transfer-encoding: chunked', 'transfer-encoding: chunked')}1\r\na\r\n0\r\n\r\n`),
    status: 200,
    end: 'delivered',
  },
  {
    name: 'begins-before-the-request',
    first: 'HTTP/1.1 20',
    // And again, before the next one.
    tell: (s) => s.write('0 X\r\ncontent-length: 0\r\n\r\nHTTP/1.1 5'),
    status: 200,
    end: 'delivered',
  },
  ...Object.entries(noAnswers).map(
    ([name, text]): Lie => ({ name, tell: (s) => s.end(text, 'latin1'), status: 0, end: 'exhausted' }),
  ),
  ...Object.entries(noBodies).map(
    ([name, text]): Lie => ({
      name,
      tell: (s) => s.end(head(200, 'transfer-encoding: chunked') + text, 'latin1'),
      status: 200,
      end: 'delivered',
    }),
  ),
];

const sockets = new Set<Socket>();

async function openLiar(tell: Lie['tell'], first = ''): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (first !== '') socket.write(first);
    socket.once('data', () => tell(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function closeLiar(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

let healthy: TargetServer;
let bigpipe: BigpipeProcess;
const liars = new Map<string, Server>();
/** Handles of the process before the first lie. */
let handlesBefore = 0;

beforeAll(async () => {
  healthy = await TargetServer.start();
  for (const { name, tell, first } of lies) liars.set(name, await openLiar(tell, first));
  const consumer = baseConsumer({ timeout: 1000, retries, concurrency: 500 });
  bigpipe = await BigpipeProcess.start({ config: baseConfig({ 'kafka.consumer.list': [consumer] }) });
  await Promise.all(healthyCalls('before', 2));
  await until('the healthy one has its calls', () => healthy.arrivals.length === 2);
  healthy.arrivals.length = 0;
  await until('they are settled', async () => (await settled()) === 2);
  handlesBefore = await handles();
});

afterAll(async () => {
  await bigpipe.dispose();
  for (const socket of sockets) socket.destroy();
  for (const liar of liars.values()) await closeLiar(liar);
  await healthy.close();
});

const pid = () => bigpipe.child.pid as number;

/** Handles beside the callers' connections and those to the healthy receiver, which are kept. */
const handles = () => handlesBeside(pid(), bigpipe.port, bigpipe.managementPort, healthy.port);

async function settled(): Promise<number> {
  // Asked too often, /stats says so instead of answering.
  const stats = (await bigpipe.stats()) as Stats | undefined;
  const { rpcSuccess = 0, deadLetters: letters = 0 } = stats?.clientStats['test'] ?? {};
  return rpcSuccess + letters;
}

const callsTo = (name: string, port: number, data: string) =>
  Array.from({ length: callsEach }, (_, i) =>
    // One key for all of them and for the healthy receiver: a lane is a key and a destination.
    bigpipe.call({ id: `${name}-${i}`, url: `http://127.0.0.1:${port}/`, data, partition_key: 'shared' }),
  );

const healthyCalls = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) =>
    bigpipe.call({ id: `${name}-${i}`, url: healthy.url(), data: 'x', partition_key: i % 2 === 0 ? 'shared' : '' }),
  );

/** The dead letter's end and status, or 'delivered'. */
function endOf(id: string): string {
  const letter = deadLetters(bigpipe.directory).get(id);
  if (letter === undefined) return 'delivered';
  const { headers } = letter;
  return `${headers['bigpipe-dlq-reason']} ${headers['bigpipe-dlq-status']} after ${headers['bigpipe-dlq-attempts']}`;
}

function expectedEnd({ end, status }: Lie): string {
  if (end === 'delivered') return 'delivered';
  return `${end} ${status} after ${end === 'rejected' ? 1 : retries + 1}`;
}

test('every lie ends by the rules, and a healthy receiver gets its calls once each meanwhile', async () => {
  const answers = await Promise.all([
    ...lies.flatMap(({ name }) => callsTo(name, portOf(liars.get(name) as Server), 'request body')),
    ...healthyCalls('healthy', 200),
  ]);
  expect(answers.filter(({ body }) => body.errno !== 0)).toEqual([]);
  await until('all of them are settled', async () => (await settled()) === answers.length + 2, 40_000);

  const told = lies.filter(({ status }) => status !== -1);
  const ends = told.flatMap(({ name }) => [0, 1].map((i) => `${name}: ${endOf(`${name}-${i}`)}`));
  expect(ends).toEqual(told.flatMap((lie) => [0, 1].map(() => `${lie.name}: ${expectedEnd(lie)}`)));
  expect(endOf('head-then-reset-0')).toMatch(/^(delivered|exhausted 0 after 2)$/);

  expect(healthy.countById().size).toBe(200);
  expect(healthy.arrivals.every(({ headers }) => headers['bigpipe-attempt'] === '1')).toBe(true);
  expect(healthy.arrivals).toHaveLength(200);
});

test('of an endless or packed answer at most a KiB is kept', () => {
  for (const name of ['endless-body-400', 'gzip-bomb-404']) {
    const answer = deadLetters(bigpipe.directory).get(`${name}-0`)?.headers['bigpipe-dlq-answer'] ?? '';
    expect(answer.length).toBeGreaterThan(0);
    expect(answer.length).toBeLessThanOrEqual(1024);
  }
});

test('no socket to a liar is left, on neither side, and no other handle', async () => {
  const ports = [...liars.values()].map(portOf);
  await until('all are closed', async () => (await socketsTo(pid(), ...ports)) === 0);
  await until("the liars' side is closed as well", () => sockets.size === 0);
  await until('no other handle is left', async () => (await handles()) <= handlesBefore);
});

test('a refused connection is tried again, then goes to the dead letter', async () => {
  const gone = await openLiar(() => undefined);
  const port = portOf(gone);
  await closeLiar(gone);
  const before = await settled();
  await Promise.all(callsTo('refused', port, ''));
  await until('both are settled', async () => (await settled()) === before + callsEach);
  expect(endOf('refused-0')).toBe('exhausted 0 after 2');
  const detail = deadLetters(bigpipe.directory).get('refused-0')?.headers['bigpipe-dlq-detail'];
  expect(detail).toContain('ECONNREFUSED');
});

test('a receiver that never reads a large body is given up', async () => {
  const deaf = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  deaf.listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const before = await settled();
  // More than both kernels' buffers hold would need a larger body limit; the answer is missing either way.
  await Promise.all(callsTo('deaf', portOf(deaf), 'd'.repeat(1_000_000)));
  await until('both are settled', async () => (await settled()) === before + callsEach);
  expect(endOf('deaf-0')).toBe('exhausted 0 after 2');
  await until('its sockets are gone', async () => (await socketsTo(pid(), portOf(deaf))) === 0);
  for (const socket of sockets) socket.destroy();
  await closeLiar(deaf);
});

test('of an endless body little more is taken than is looked at, and memory does not grow with it', async () => {
  const mib = 1_048_576;
  const told: Socket[] = [];
  // As fast as it can, unlike the endless ones above.
  const liar = await openLiar((socket) => {
    const chunk = Buffer.alloc(mib, 'x');
    const more = () => {
      while (!socket.destroyed && socket.write(chunk));
    };
    told.push(socket);
    socket.on('drain', more);
    socket.write(head(200));
    more();
  });
  const before = await settled();
  const memoryBefore = await residentBytes(pid());
  const calls = Array.from({ length: 10 }, (_, i) =>
    bigpipe.call({ id: `torrent-${i}`, url: `http://127.0.0.1:${portOf(liar)}/` }),
  );
  await Promise.all(calls);
  await until('all are settled', async () => (await settled()) === before + calls.length);
  await until('all sockets are gone', () => told.every(({ destroyed }) => destroyed));
  await closeLiar(liar);
  expect(told).toHaveLength(calls.length);
  // What the kernel takes off a sender's hands is not what bigpipe has read.
  expect(Math.max(...told.map(({ bytesWritten }) => bytesWritten))).toBeLessThan(24 * mib);
  expect((await residentBytes(pid())) - memoryBefore).toBeLessThan(64 * mib);
});

test.each([
  [200, 'delivered'],
  [413, 'rejected 413 after 1'],
  [500, 'exhausted 500 after 2'],
])('an answer %i before the request was read counts: %s', async (status, end) => {
  const hasty = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    // Nothing of the request is ever read.
    socket.write(head(status, 'content-length: 0', 'connection: close'));
  });
  hasty.listen(0, '127.0.0.1');
  await once(hasty, 'listening');
  const before = await settled();
  const name = `hasty-${status}`;
  await Promise.all(callsTo(name, portOf(hasty), 'h'.repeat(1_000_000)));
  await until('both are settled', async () => (await settled()) === before + callsEach);
  await until('its sockets are gone', async () => (await socketsTo(pid(), portOf(hasty))) === 0);
  for (const socket of sockets) socket.destroy();
  await closeLiar(hasty);
  expect([endOf(`${name}-0`), endOf(`${name}-1`)]).toEqual([end, end]);
});

test('a redirect to itself is asked once, whatever its kind', async () => {
  const statuses = [301, 302, 303, 307, 308];
  const ring = await TargetServer.start(({ path }, response) => {
    response.writeHead(Number(path.slice(1)), { location: path }).end();
  });
  const before = await settled();
  for (const status of statuses) await bigpipe.call({ id: `ring-${status}`, url: ring.url(`/${status}`) });
  await until('all are settled', async () => (await settled()) === before + statuses.length);
  await ring.close();
  expect(statuses.map((status) => endOf(`ring-${status}`))).toEqual(statuses.map((s) => `rejected ${s} after 1`));
  expect(ring.arrivals).toHaveLength(statuses.length);
});

test('a redirect is a no and is not followed', async () => {
  const there = healthy.arrivals.length;
  const liar = await openLiar((s) => s.write(head(302, `location: ${healthy.url('/elsewhere')}`, 'content-length: 0')));
  const before = await settled();
  await Promise.all(callsTo('redirect', portOf(liar), ''));
  await until('both are settled', async () => (await settled()) === before + callsEach);
  expect(endOf('redirect-0')).toBe('rejected 302 after 1');
  expect(healthy.arrivals).toHaveLength(there);
  for (const socket of sockets) socket.destroy();
  await closeLiar(liar);
});

test.each(['', 'x: y'])(
  'a 100 that nobody asked for is read over, also with an empty line behind it (%j)',
  async (...fields) => {
    const liar = await openLiar((s) =>
      s.write(head(100, ...fields) + head(200, 'content-length: 0', 'connection: close')),
    );
    const before = await settled();
    const name = `continued-${fields[0]?.length}`;
    await Promise.all(callsTo(name, portOf(liar), ''));
    await until('both are settled', async () => (await settled()) === before + callsEach);
    for (const socket of sockets) socket.destroy();
    await closeLiar(liar);
    expect(endOf(`${name}-0`)).toBe('delivered');
  },
);

test('a process that listens but has stopped, its queue full, is given up', async () => {
  const script =
    "require('node:net').createServer().listen({host:'127.0.0.1',port:0,backlog:1},function(){console.log(this.address().port)})";
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = Number(await new Promise<string>((resolve) => createInterface(child.stdout).once('line', resolve)));
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  try {
    // The kernel takes two for a queue of one; the others wait to be let in.
    for (let i = 0; i < 6; i += 1) fillers.push(connect(port, '127.0.0.1').on('error', () => undefined));
    await until('the queue is full', () => fillers.filter(({ connecting }) => !connecting).length === 2);
    const before = await settled();
    await Promise.all(callsTo('stopped', port, ''));
    await until('both are settled', async () => (await settled()) === before + callsEach);
    expect(endOf('stopped-0')).toBe('exhausted 0 after 2');
    await until('no attempt to connect is left', async () => (await socketsTo(pid(), port)) === 0);
  } finally {
    for (const filler of fillers) filler.destroy();
    child.kill('SIGKILL');
  }
});

test('with attempts at every liar under way, SIGTERM still ends it well', async () => {
  await Promise.all(
    lies.flatMap(({ name }) =>
      callsTo(`again-${name}`, portOf(liars.get(name) as Server), '').concat(healthyCalls(`again-h-${name}`, 2)),
    ),
  );
  await until('the silent one holds an attempt', async () => {
    return (await socketsTo(pid(), portOf(liars.get('never-answers') as Server))) > 0;
  });
  expect(await bigpipe.end('SIGTERM')).toBe(0);
  expect(bigpipe.stderr).toEqual([]);
});
