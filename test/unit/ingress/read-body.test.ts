// A body comes whole, or not at all and says why.
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { readBody } from '#src/ingress/read-body.js';

type Read = Buffer | { readonly statusCode: number };

/** What `done` was called with; rejects when it is called twice. */
function read(limit: number, contentLength: number, feed: (payload: PassThrough) => void): Promise<Read> {
  return new Promise((resolve, reject) => {
    const payload = new PassThrough();
    let calls = 0;
    readBody(payload as unknown as IncomingMessage, contentLength, limit, (error, body) => {
      calls += 1;
      if (calls > 1) reject(new Error('done was called twice'));
      // What would call it again has had its turn by then.
      setImmediate(() => resolve((error ?? body) as Read));
    });
    feed(payload);
  });
}

const pieces =
  (...texts: string[]) =>
  (payload: PassThrough) => {
    for (const text of texts) payload.write(text);
    payload.end();
  };

test.each([
  ['of one piece', 5, ['hello']],
  ['of several', 11, ['hello', ' ', 'world']],
  ['of nothing', 0, []],
  ['of exactly the limit', 20, ['0123456789', '0123456789']],
])('a body %s', async (_what, length, texts) => {
  const whole = Buffer.from(texts.join(''));
  expect(await read(20, length, pieces(...texts))).toEqual(whole);
  expect(await read(20, Number.NaN, pieces(...texts))).toEqual(whole);
});

test('a body over the limit is refused, by its announcement or by its bytes', async () => {
  expect(await read(20, 21, () => undefined)).toMatchObject({ statusCode: 413 });
  expect(await read(20, Number.NaN, pieces('0123456789', '0123456789', '0', 'more', 'and more'))).toMatchObject({
    statusCode: 413,
  });
});

test('a body that is shorter or longer than announced, or breaks off, is refused', async () => {
  expect(await read(20, 5, pieces('four'))).toMatchObject({ statusCode: 400 });
  expect(await read(20, 3, pieces('four'))).toMatchObject({ statusCode: 400 });
  const broken = read(20, 10, (payload) => {
    payload.write('four');
    payload.destroy(new Error('reset'));
  });
  expect(await broken).toMatchObject({ statusCode: 400, message: 'reset' });
});
