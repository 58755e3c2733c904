// What is read as an answer: the same however it is cut, the same as Node's own client reads, and nothing that is none.
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AnswerParser, BrokenAnswer } from '#src/target/http/answer-parser.js';
import { answerReadByNode, type ReadAnswer } from '../../../support/bytes-socket.js';
import { stepsOf } from '../../../support/expression-steps.js';

const bytesOf = (text: string) => Buffer.from(text, 'latin1');

/** As the pieces come, and the end behind them; null where there is no head. Anything but a BrokenAnswer is thrown on. */
function answerIn(pieces: readonly Buffer[]): ReadAnswer | null {
  const calls: string[] = [];
  let status = 0;
  let headers: Record<string, string> = {};
  const body: Buffer[] = [];
  let mayGoOn = false;
  const parser = new AnswerParser({
    head: (told, fields) => {
      calls.push('head');
      status = told;
      headers = Object.fromEntries(fields);
    },
    data: (piece) => {
      calls.push('data');
      // It may be overwritten afterwards.
      body.push(Buffer.from(piece));
    },
    end: (told) => {
      calls.push('end');
      mayGoOn = told;
    },
  });
  parser.begin();
  try {
    for (const piece of pieces) parser.take(piece);
    parser.ended();
  } catch (error) {
    if (!(error instanceof BrokenAnswer)) throw error;
    expect(calls).not.toContain('end');
  }
  expect(calls.join(' ')).toMatch(/^(head( data)*( end)?)?$/);
  if (status === 0) return null;
  return { status, headers, body: Buffer.concat(body).toString('latin1'), isWhole: calls.includes('end'), mayGoOn };
}

const read = (text: string) => answerIn([bytesOf(text)]);

const length3 = 'content-length: 3\r\n\r\nabc';
const chunked200 = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

/** An answer, and the same with its lines unfolded. */
interface Made {
  readonly text: string;
  readonly plain: string;
  /** Node's client goes on here or there where ours closes the connection: it says close, or of a body that none of its kind has, or of chunks in HTTP/1.0. */
  readonly isSuspect: boolean;
}

const charsOf = (...ranges: readonly (readonly [number, number])[]) =>
  ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i)));
const visible = charsOf([0x21, 0x7e], [0x80, 0xff]);
const framing = new Set(['connection', 'content-length', 'transfer-encoding', 'keep-alive', 'upgrade']);

const words = fc.string({ unit: fc.constantFrom(...visible), minLength: 1, maxLength: 12 });
const blank = fc.constantFrom('', ' ', '\t', '  \t ');
const name = fc
  .string({ unit: fc.constantFrom(...Array.from("aZ09!#$%&'*+-.^_`|~")), minLength: 1, maxLength: 12 })
  .filter((text) => !framing.has(text.toLowerCase()));
const plainValue = fc.array(words, { maxLength: 3 }).map((some) => some.join(' \t'));
/** Its parts, each in a line of its own. */
const foldedValue = fc.array(words, { minLength: 2, maxLength: 3 });

interface Lines {
  readonly text: string;
  readonly plain: string;
}

const same = (text: string): Lines => ({ text, plain: text });
const joined = (parts: readonly Lines[]): Lines => ({
  text: parts.map(({ text }) => text).join(''),
  plain: parts.map(({ plain }) => plain).join(''),
});

const plainField = fc
  .tuple(fc.oneof(name, fc.constantFrom('x-twice', 'X-Twice', 'date', 'set-cookie')), blank, plainValue, blank)
  .map(([key, before, value, after]) => same(`${key}:${before}${value}${after}\r\n`));
const foldedField = fc.tuple(name, foldedValue, blank).map(([key, parts, before]) => ({
  text: `${key}:${parts.join(`${before}\r\n${before} `)}\r\n`,
  plain: `${key}:${parts.join(' ')}\r\n`,
}));
const connectionValues = [
  '',
  'close',
  'keep-alive',
  'Close',
  'KEEP-ALIVE ',
  'keep-alive, close',
  'x,\tclose',
  'closed',
  'x',
  '"close"',
];
const connection = fc
  .constantFrom(...connectionValues)
  .chain((value) => fc.constantFrom(`connection: ${value}\r\n`, `Connection:${value}\r\nkeep-alive: timeout=5\r\n`));
const connections = fc.oneof(
  { weight: 2, arbitrary: fc.constant('') },
  { weight: 4, arbitrary: connection },
  { weight: 1, arbitrary: fc.tuple(connection, connection).map((two) => two.join('')) },
);

const bodyText = fc.string({ unit: fc.constantFrom(...charsOf([0, 0xff])), maxLength: 40 });
const hexSize = (size: number) =>
  fc
    .tuple(fc.constantFrom('', '0', '000'), fc.boolean())
    .map(([zeros, isUpper]) => zeros + (isUpper ? size.toString(16).toUpperCase() : size.toString(16)));
const extension = fc.constantFrom('', ';x', ';x=y', ';x="a b";z');
const chunk = bodyText
  .filter((text) => text.length > 0)
  .chain((text) => fc.tuple(hexSize(text.length), extension).map(([size, more]) => `${size}${more}\r\n${text}\r\n`));
const trailers = fc.constantFrom('', 'x-sum: 1\r\n', 'x-sum:\r\ny: z\r\n');
const chunks = fc
  .tuple(fc.array(chunk, { maxLength: 4 }), fc.constantFrom('0', '000'), extension, trailers)
  .map(([some, zero, more, fields]) => `${some.join('')}${zero}${more}\r\n${fields}\r\n`);

type Frame = { readonly field: string; readonly body: string };
const counted: fc.Arbitrary<Frame> = fc
  .tuple(bodyText, fc.constantFrom('', '00'))
  .map(([body, zeros]) => ({ field: `Content-Length: ${zeros}${body.length}\r\n`, body }));
const chunked: fc.Arbitrary<Frame> = fc
  .tuple(fc.constantFrom('chunked', 'Chunked', 'gzip, chunked', 'chunked\r\ntransfer-encoding: chunked'), chunks)
  .map(([coding, body]) => ({ field: `transfer-encoding: ${coding}\r\n`, body }));
const toTheEnd: fc.Arbitrary<Frame> = fc
  .tuple(fc.constantFrom('', '', 'transfer-encoding: gzip\r\n', 'transfer-encoding: chunked, gzip\r\n'), bodyText)
  .map(([field, body]) => ({ field, body }));
const none: fc.Arbitrary<Frame> = fc
  .constantFrom('', '', 'content-length: 0\r\n', 'content-length: 7\r\n', 'transfer-encoding: chunked\r\n')
  .map((field) => ({ field, body: '' }));

const reason = fc.constantFrom('', ' ', ' OK', ' Not \xe9 Found ');
const fields = (field: fc.Arbitrary<Lines>) => fc.array(field, { maxLength: 5 }).map(joined);
const before = (field: fc.Arbitrary<Lines>) =>
  fc.oneof(
    fc.constant(same('\r\n')),
    fc
      .tuple(fc.constantFrom(100, 102, 103, 199), fields(field))
      .map(([status, lines]) => joined([same(`HTTP/1.1 ${status} Wait\r\n`), lines, same('\r\n')])),
  );

function answerWith(field: fc.Arbitrary<Lines>): fc.Arbitrary<Made> {
  const withBody = fc.tuple(fc.constantFrom(200, 205, 302, 418, 500, 999), fc.oneof(counted, chunked, toTheEnd));
  const without = fc.tuple(fc.constantFrom(204, 304), none);
  return fc
    .tuple(
      fc.array(before(field), { maxLength: 2 }),
      fc.constantFrom('1.1', '1.1', '1.0'),
      fc.oneof({ weight: 3, arbitrary: withBody }, { weight: 1, arbitrary: without }),
      reason,
      fields(field),
      connections,
      fields(field),
    )
    .map(([earlier, version, [status, frame], said, some, kept, more]) => {
      const head = [same(`HTTP/${version} ${status}${said}\r\n`), some, same(kept + frame.field), more, same('\r\n')];
      const isChunked = frame.field.startsWith('transfer-encoding');
      const isSuspect =
        /close/i.test(kept) ||
        (isChunked && version === '1.0') ||
        ((status === 204 || status === 304) && /chunked|7/.test(frame.field));
      return { ...joined([...earlier, ...head, same(frame.body)]), isSuspect };
    });
}

const plainAnswer = answerWith(plainField);
const anyAnswer = answerWith(fc.oneof(plainField, foldedField));

describe('an answer as it should be', () => {
  test("is read as Node's own client reads it", async () => {
    const check = async ({ plain, isSuspect }: Made) => {
      const [ours, nodes] = [read(plain), await answerReadByNode(bytesOf(plain))];
      expect(ours).toEqual({ ...nodes, mayGoOn: isSuspect ? expect.any(Boolean) : nodes?.mayGoOn });
      expect(nodes?.isWhole).toBe(true);
      if (nodes?.mayGoOn === false) expect(ours?.mayGoOn).toBe(false);
    };
    await fc.assert(fc.asyncProperty(plainAnswer, check), { numRuns: 500 });
  });

  test('is told the same wherever it is cut, also byte by byte', () => {
    const places = fc.array(fc.nat(), { maxLength: 6 });
    const check = ({ text }: Made, at: readonly number[]) => {
      const bytes = bytesOf(text);
      const whole = answerIn([bytes]);
      expect(whole?.isWhole).toBe(true);
      expect(answerIn(cutAt(bytes, at))).toEqual(whole);
      expect(answerIn(cutAt(bytes, Array.from(bytes.keys())))).toEqual(whole);
    };
    fc.assert(fc.property(anyAnswer, places, check), { numRuns: 300 });
  });

  test('may have fields that go on in the next line: there is a space between', () => {
    const check = ({ text, plain }: Made) => {
      expect(read(text)).toEqual(read(plain));
    };
    fc.assert(fc.property(anyAnswer, check), { numRuns: 300 });
  });
});

test('of any bytes at all, in any pieces, nothing but an answer or none comes', () => {
  const begins = fc
    .constantFrom('', 'HTTP/1.1 200', 'HTTP/1.1 200 OK\r\n', chunked200, `${chunked200}0\r\n`)
    .map(bytesOf);
  const pieces = fc.array(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    { maxLength: 4 },
  );
  const check = (begin: Buffer, more: readonly Buffer[]) => void answerIn([begin, ...more]);
  fc.assert(fc.property(begins, pieces, check), { numRuns: 1000 });
});

describe('an answer that was changed on its way', () => {
  /** Bytes put in, taken out or put in place of others, of those that mean something, at places that mean something more often. */
  const odd = fc.constantFrom(
    ...Array.from('\r\n\0 \t:;,0123456789abcdefx+-"\x7f\xff'),
    '\r\n',
    '\n',
    '\r',
    'chunked',
    'close',
    ': ',
  );
  const change = fc.record({ at: fc.nat(), out: fc.constantFrom(0, 0, 1, 1, 2), into: fc.oneof(fc.constant(''), odd) });
  const changed = fc.tuple(plainAnswer, fc.array(change, { minLength: 1, maxLength: 3 })).map(([{ plain }, changes]) =>
    changes.reduce((text, { at, out, into }) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + into + text.slice(from + out);
    }, plain),
  );
  /** A folded field, which Node refuses, and which is read as it always was. */
  const isFolded = (text: string) => /\r\n[\t ]/.test(text);

  test("is no answer where it is none for Node's own client, and says no other thing", async () => {
    const check = async (text: string) => {
      const ours = read(text);
      // Of what stands behind an answer only who reads both in one piece knows before it goes on.
      const inBytes = answerIn(
        cutAt(
          bytesOf(text),
          Array.from(text, (_, at) => at),
        ),
      );
      expect(inBytes).toEqual(ours && { ...ours, mayGoOn: ours.mayGoOn || expect.any(Boolean) });
      if (ours === null || isFolded(text)) return;
      const nodes = await answerReadByNode(bytesOf(text));
      expect(ours).toMatchObject({ status: nodes?.status, headers: nodes?.headers });
      if (ours.isWhole && nodes?.isWhole === true) expect(ours.body).toBe(nodes.body);
      // What a chunk says of itself behind its size is not looked into: no byte of the body depends on it.
      if (ours.isWhole && !text.includes(';')) expect(nodes?.isWhole).toBe(true);
      if (ours.mayGoOn && nodes?.isWhole === true) expect(nodes.mayGoOn).toBe(true);
    };
    await fc.assert(fc.asyncProperty(changed, check), { numRuns: Number(process.env['CHANGED_ANSWERS'] ?? 1000) });
  });
});

test.each([
  ['another version', `HTTP/2.0 200 OK\r\n${length3}`],
  ['no version', `200 OK\r\n${length3}`],
  ['a status of two digits', `HTTP/1.1 20 OK\r\n${length3}`],
  ['a status of four digits', `HTTP/1.1 2000 OK\r\n${length3}`],
  ['a status of 0', `HTTP/1.1 000 OK\r\n${length3}`],
  ['a tab in the status line', `HTTP/1.1\t200 OK\r\n${length3}`],
  ['a line end of LF alone', `HTTP/1.1 200 OK\n${length3}`],
  ['LF alone throughout', `HTTP/1.1 200 OK\ncontent-length: 3\n\nabc`],
  ['CR alone in a value', `HTTP/1.1 200 OK\r\nx: a\rb\r\n${length3}`],
  ['LF alone in a value', `HTTP/1.1 200 OK\r\nx: a\nb: c\r\n${length3}`],
  ['NUL in a value', `HTTP/1.1 200 OK\r\nx: a\0b\r\n${length3}`],
  ['NUL in the status line', `HTTP/1.1 200 O\0K\r\n${length3}`],
  ['a space before the colon', `HTTP/1.1 200 OK\r\nx : a\r\n${length3}`],
  ['a length with a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 3\r\n\r\nabc'],
  ['no colon', `HTTP/1.1 200 OK\r\nxyz\r\n${length3}`],
  ['no name', `HTTP/1.1 200 OK\r\n: a\r\n${length3}`],
  ['a name with a slash', `HTTP/1.1 200 OK\r\nx/y: a\r\n${length3}`],
  ['a folded line with no field before it', `HTTP/1.1 200 OK\r\n x: a\r\n${length3}`],
  ['two status lines', `HTTP/1.1 200 OK\r\nHTTP/1.1 500 No\r\n${length3}`],
  ['a change of protocol', 'HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ['an answer behind a change of protocol', `HTTP/1.1 101 Switching\r\n\r\nHTTP/1.1 200 OK\r\n${length3}`],
  ['no length', 'HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\nabc'],
  ['a length with a sign', 'HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc'],
  ['a length below 0', 'HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc'],
  ['a length in hexadecimal', 'HTTP/1.1 200 OK\r\ncontent-length: 0x3\r\n\r\nabc'],
  ['a length with a fraction', 'HTTP/1.1 200 OK\r\ncontent-length: 3.0\r\n\r\nabc'],
  ['a length beyond whole numbers', 'HTTP/1.1 200 OK\r\ncontent-length: 9007199254740993\r\n\r\nabc'],
  ['a length in two lines', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n 3\r\n\r\nabc'],
  ['a length twice', `HTTP/1.1 200 OK\r\ncontent-length: 3\r\n${length3}`],
  ['a length as a list', 'HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\n\r\nabc'],
  ['a length and chunks', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n${length3}`],
  ['chunks and then no coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding:\r\n\r\n0\r\n\r\n'],
  ['a head broken off', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n'],
  ['nothing', ''],
  ['empty lines', '\r\n\r\n\r\n'],
  ['bytes of TLS', '\x15\x03\x01\x00\x02\x02\x46'],
])('%s is no answer', (_what, text) => {
  expect(read(text)).toBeNull();
  expect(answerIn(Array.from(bytesOf(text), (byte) => Buffer.from([byte])))).toBeNull();
});

test.each([
  ['no size', '\r\nabc\r\n0\r\n\r\n'],
  ['an extension without a size', ';x\r\nabc\r\n0\r\n\r\n'],
  ['a sign', '+3\r\nabc\r\n0\r\n\r\n'],
  ['a size below 0', '-3\r\nabc\r\n0\r\n\r\n'],
  ['0x', '0x3\r\nabc\r\n0\r\n\r\n'],
  ['a space before it', ' 3\r\nabc\r\n0\r\n\r\n'],
  ['a space behind it', '3 \r\nabc\r\n0\r\n\r\n'],
  ['a letter that is no digit', '3g\r\nabc\r\n0\r\n\r\n'],
  ['a size beyond whole numbers', 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n'],
  ['a size that would be 3 in 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
  ['LF alone behind the size', '3\nabc\r\n0\r\n\r\n'],
  ['CR alone in what it says', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
  ['LF alone behind the chunk', '3\r\nabc\n0\r\n\r\n'],
  ['more than its size', '3\r\nabcd\r\n0\r\n\r\n'],
  ['two other bytes where its line ends', '3\r\nabc\0\x010\r\n\r\n'],
  ['less than its size', '3\r\nab\r\n0\r\n\r\n'],
  ['no last chunk', '3\r\nabc\r\n'],
  ['no line behind the last', '3\r\nabc\r\n0\r\n'],
  ['a trailer that is no field', '3\r\nabc\r\n0\r\nxyz\r\n\r\n'],
  ['a trailer with LF alone', '3\r\nabc\r\n0\r\nx: y\nz: a\r\n\r\n'],
])('a chunk with %s is not the whole of a body, and the connection is not used again', (_what, text) => {
  expect(read(chunked200 + text)).toMatchObject({ status: 200, isWhole: false, mayGoOn: false });
});

test.each([
  ['another answer', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['a line end', '\r\n'],
  ['a byte', '\0'],
])('%s behind an answer is not looked at, and the connection is not used again', (_what, more) => {
  for (const text of [
    `HTTP/1.1 200 OK\r\n${length3}`,
    `${chunked200}3\r\nabc\r\n0\r\n\r\n`,
    'HTTP/1.1 204 No\r\n\r\n',
  ]) {
    const whole = read(text);
    expect(whole).toMatchObject({ isWhole: true, mayGoOn: true });
    expect(read(text + more)).toEqual({ ...whole, mayGoOn: false });
  }
});

test('a body where there is none is not taken for the next answer: the connection is not used again', () => {
  for (const status of [204, 304]) {
    for (const field of ['content-length: 3', 'transfer-encoding: chunked']) {
      const told = read(`HTTP/1.1 ${status} X\r\n${field}\r\n\r\n`);
      expect(told).toMatchObject({ status, body: '', isWhole: true, mayGoOn: false });
    }
  }
});

test('the connection of an answer of HTTP/1.0 with chunks is not used again', () => {
  const text = 'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n';
  expect(read(text)).toMatchObject({ isWhole: true, mayGoOn: false });
});

test('one after another on the same connection, nothing of the one before is left', () => {
  const told: unknown[] = [];
  const parser = new AnswerParser({
    head: (status, headers) => told.push([status, ...headers.keys()]),
    data: (piece) => told.push(piece.toString()),
    end: (mayGoOn) => told.push(mayGoOn),
  });
  // Before a request has been sent nothing is an answer.
  parser.take(bytesOf('HTTP/1.1 200 OK\r\n\r\n'));
  parser.ended();
  for (const text of [`${chunked200}1\r\na\r\n0\r\nx: y\r\n\r\n`, `HTTP/1.1 500 No\r\n${length3}`]) {
    parser.begin();
    for (const byte of bytesOf(text)) parser.take(Buffer.from([byte]));
  }
  parser.begin();
  parser.take(bytesOf('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab'));
  parser.stop();
  parser.take(bytesOf('cd'));
  parser.ended();
  expect(told).toEqual([
    [200, 'transfer-encoding'],
    'a',
    true,
    [500, 'content-length'],
    'a',
    'b',
    'c',
    true,
    [200, 'content-length'],
    'ab',
  ]);
});

/** Of what comes before the parser gives up; `start`, then `more` for ever. */
function bytesTaken(start: string, more: string, isInOnePiece: boolean): number {
  const parser = new AnswerParser({ head: () => undefined, data: () => undefined, end: () => undefined });
  parser.begin();
  parser.take(bytesOf(start));
  const piece = bytesOf(more.repeat(Math.ceil((isInOnePiece ? 1_000_000 : 100) / more.length)));
  for (let bytes = start.length; bytes < 2_000_000; bytes += piece.length) {
    try {
      parser.take(piece);
    } catch (error) {
      if (error instanceof BrokenAnswer) return bytes;
      throw error;
    }
  }
  return Number.POSITIVE_INFINITY;
}

test.each([
  ['a status line', 'HTTP/1.1 200 ', 'O'],
  ['fields', 'HTTP/1.1 200 OK\r\n', 'x: y\r\n'],
  ['a value', 'HTTP/1.1 200 OK\r\nx: ', 'y'],
  ['a value of folded lines', 'HTTP/1.1 200 OK\r\nx: y\r\n', ' y\r\n'],
  ['a beginning', '\r', 'x'],
  ['empty lines', '', '\r\n'],
  ['answers before the answer', '', 'HTTP/1.1 102 X\r\n\r\n'],
  ['zeros of a size', chunked200, '0'],
  ['what a chunk says', `${chunked200}1;`, 'x'],
  ['what chunks say', chunked200, `1;${'x'.repeat(100)}\r\na\r\n`],
  ['a trailer', `${chunked200}0\r\nx:`, 'y'],
  ['short trailers', `${chunked200}0\r\n`, 'x:\r\n'],
])('of %s without an end so much is taken and no more', (_what, start, more) => {
  for (const isInOnePiece of [false, true]) {
    expect(bytesTaken(start, more, isInOnePiece)).toBeLessThanOrEqual(70_000 + start.length);
  }
});

test('a body may come in single bytes', () => {
  const body = 'a'.repeat(200_000);
  const told = read(`${chunked200}${'1\r\na\r\n'.repeat(body.length)}0\r\n\r\n`);
  expect(told).toMatchObject({ isWhole: true, mayGoOn: true });
  expect(told?.body === body).toBe(true);
});

test('a head of 16 KiB is read, a larger one is not, however they are cut', () => {
  const headOf = (bytes: number) => {
    const rest = 'HTTP/1.1 204 OK\r\nx: \r\n\r\n';
    return bytesOf(rest.replace('x: ', `x: ${'y'.repeat(bytes - rest.length)}`));
  };
  for (const place of [1, 16_380, 16_382, 16_383, 16_384]) {
    expect(answerIn(cutAt(headOf(16_384), [place]))?.status).toBe(204);
    expect(answerIn(cutAt(headOf(16_385), [place]))).toBeNull();
  }
});

test('a line of 16 KiB around the chunks is read, a longer one is not, however they are cut', () => {
  const linesOf = (bytes: number) => [
    `${chunked200}1;${'x'.repeat(bytes - 4)}\r\na\r\n0\r\n\r\n`,
    `${chunked200}0\r\nx:${'y'.repeat(bytes - 4)}\r\n\r\n`,
  ];
  for (const place of [0, 16_383, 16_384, 16_385, 16_400, 16_430, 16_440, 16_450]) {
    for (const text of linesOf(16_384)) expect(answerIn(cutAt(bytesOf(text), [place]))?.isWhole).toBe(true);
    for (const text of linesOf(16_385)) expect(answerIn(cutAt(bytesOf(text), [place]))?.isWhole).toBe(false);
  }
});

test('what comes beside one answer is not counted with the next', () => {
  let ends = 0;
  const parser = new AnswerParser({ head: () => undefined, data: () => undefined, end: () => (ends += 1) });
  for (let i = 0; i < 200; i += 1) {
    parser.begin();
    parser.take(bytesOf(`HTTP/1.1 103 X\r\n\r\n${chunked200}1;${'x'.repeat(1000)}\r\na\r\n0\r\nx: y\r\n\r\n`));
  }
  expect(ends).toBe(200);
});

/** Those that stand at the top of the parser, by their names. */
function expressionsIn(source: string): [string, RegExp][] {
  const literals = source.matchAll(/^const (\w+) = \/(.+)\/(\w*);$/gm);
  return [...literals].map(([, called = '', pattern = '', flags = '']) => [called, new RegExp(pattern, flags)]);
}

const expressions = expressionsIn(
  readFileSync(new URL('../../../../src/target/http/answer-parser.ts', import.meta.url), 'utf8'),
);

test.each(expressions.filter(([, { sticky }]) => sticky))(
  'the expression %s takes twice the steps for twice the text, whatever that is',
  (_called, expression) => {
    const starts = ['', 'HTTP/1.1 200', 'HTTP/1.1 200 ', 'x', 'x:', 'x: ', ' ', '1', '1;', '1 ;', '1; ', '1;x'];
    const fills = [' ', '\t', ' \t', ';', ' ;', '; ', 'a', ' a', 'a ', '1', '1 ', ':', ': ', ',', ', ', '\xff'];
    for (const start of starts) {
      for (const fill of fills) {
        for (const tail of ['', '\x01', '\r', '\r\n', ' \r\n', ':\r\n', ' \x01']) {
          const [once, twice] = [200, 400].map((length) => {
            const text = start + fill.repeat(length / fill.length) + tail;
            const found = stepsOf(expression, text);
            expression.lastIndex = 0;
            expect([text, found.isMatch]).toEqual([text, expression.test(text)]);
            return found.steps;
          }) as [number, number];
          expect([start, fill, tail, twice < 2.5 * once + 50]).toEqual([start, fill, tail, true]);
        }
      }
    }
  },
);

test('all of its expressions are known to this file, and one whose parts could both take the same is found out', () => {
  expect(expressions.map(([called]) => called)).toEqual(['statusLine', 'field', 'folded', 'chunkLine', 'length']);
  const slow = /1;[ x]*[ ]*\r\n/y;
  const [once, twice] = [200, 400].map((length) => stepsOf(slow, `1;${' '.repeat(length)}\x01`).steps) as [
    number,
    number,
  ];
  expect(twice).toBeGreaterThan(3 * once);
});
