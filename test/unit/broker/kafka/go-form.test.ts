// The original's form on Kafka: golden vectors of its hash and its bytes, and what it takes for a message.
import { expect, test } from 'vitest';
import { goPartition } from '#src/broker/drivers/kafka/go-form.js';
import { messageOf, recordOf } from '#src/broker/drivers/kafka/message-form.js';
import type { Message, MessageHeaders } from '#src/message/message.js';

const moduli = [2, 3, 4, 7, 12, 16];

test.each([
  ['a', [1, 1, 1, 6, 1, 1]],
  ['ab', [1, 2, 3, 2, 11, 3]],
  ['user-1', [1, 1, 1, 6, 1, 13]],
  ['uid-10203031', [1, 1, 1, 1, 1, 9]],
  ['暂时用不到', [1, 1, 1, 0, 1, 13]],
  ['😀', [0, 1, 0, 6, 4, 0]],
])('the partition of %s is the one that the original chooses', (key, expected) => {
  expect(moduli.map((partitions) => goPartition(key, partitions))).toEqual(expected);
});

const call = (headers: MessageHeaders, body: string | Buffer = 'hello', key: string | null = null): Message => ({
  topic: 'test',
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-url': 'http://receiver/?a=1&b=2', ...headers },
});

const goValueOf = (message: Message) => recordOf(message, 2, 'bigpipe-go', 1_795_248_928_116).value.toString();

test('its bytes are those of the original, with the escapes of its JSON', () => {
  const message = call(
    { 'bigpipe-forward-x-multi-name': 'v<1>', 'bigpipe-forward-accept': 'é', other: 'x' },
    '<a>&"\\\n\b\u2028',
  );
  expect(goValueOf(message)).toBe(
    '{"Headers":{"Accept":["é"],"X-Multi-Name":["v\\u003c1\\u003e"]},"Url":"http://receiver/?a=1\\u0026b=2",' +
      '"Data":"\\u003ca\\u003e\\u0026\\"\\\\\\n\\u0008\\u2028","Topic":"test","Partition":2,"CreateTime":1795248928116}',
  );
});

test('a backslash before b or f stays what it is', () => {
  expect(goValueOf(call({}, '\\b \\\\f'))).toContain('"Data":"\\\\b \\\\\\\\f"');
});

test('a body that is no text is text there: what is no UTF-8 becomes U+FFFD', () => {
  expect(goValueOf(call({}, Buffer.from([0x61, 0xff])))).toContain('"Data":"a\ufffd"');
});

const stored = (value: string | Buffer, headers: Record<string, string | Buffer> = {}, key: Buffer | null = null) => {
  const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, bytes.toString()]));
  const { 'bigpipe-key': rawKey } = headers;
  return messageOf(
    {
      offset: 7n,
      timestampMs: 5,
      key,
      value: Buffer.from(value),
      headers: texts,
      rawKey: rawKey === undefined ? null : Buffer.from(rawKey),
    },
    'test',
    2,
  );
};

test('what the original wrote is a call: URL, body, and the last of each header', () => {
  const value =
    '{"Headers":{"X-Multi":["one","two"],"Empty":[],"Authorization":["t"]},"Url":"http://r/","Data":"d\\u003c","Topic":"test","Partition":2,"CreateTime":1795248928116,"More":1}';
  expect(stored(value)).toEqual({
    topic: 'test',
    partition: 2,
    offset: 7n,
    timestampMs: 5,
    key: null,
    body: Buffer.from('d<'),
    headers: { 'bigpipe-url': 'http://r/', 'bigpipe-forward-x-multi': 'two', 'bigpipe-forward-authorization': 't' },
  });
});

test.each([
  ['no JSON', '{"Headers":'],
  ['no object', '[]'],
  ['no URL', '{"Headers":{},"Data":"","Topic":"t","Partition":0,"CreateTime":0}'],
  ['a URL that is no text', '{"Headers":{},"Url":1,"Data":"","Topic":"t","Partition":0,"CreateTime":0}'],
  ['no time', '{"Headers":{},"Url":"","Data":"","Topic":"t","Partition":0}'],
  ['headers that are no object', '{"Headers":[],"Url":"","Data":"","Topic":"t","Partition":0,"CreateTime":0}'],
  ['a header that is no list', '{"Headers":{"A":"b"},"Url":"","Data":"","Topic":"t","Partition":0,"CreateTime":0}'],
  ['null', 'null'],
])('a value with %s is none of its messages: it has no URL, its bytes and key are kept', (_what, value) => {
  const read = stored(value, {}, Buffer.from('k'));
  expect(read.headers).toEqual({});
  expect(read.body.toString()).toBe(value);
  expect(read.key?.toString()).toBe('k');
});

test('what a bigpipe wrote in that form comes back whole: key, id, headers', () => {
  const message = call(
    { 'bigpipe-message-id': 'id-1', 'bigpipe-forward-x': 'y', 'content-type': 'text/plain' },
    'hé',
    'key',
  );
  const record = recordOf(message, 2, 'bigpipe-go', 5);
  expect(record.key).toBeNull();
  expect(stored(record.value, record.headers)).toMatchObject({
    key: Buffer.from('key'),
    body: Buffer.from('hé'),
    headers: message.headers,
  });
});

test("a call whose body looks like the original's message is still that call", () => {
  const body = '{"Headers":{},"Url":"http://elsewhere/","Data":"","Topic":"t","Partition":0,"CreateTime":0}';
  const record = recordOf(call({}, body), 2, 'bigpipe', 5);
  expect(stored(record.value, record.headers)).toMatchObject({
    body: Buffer.from(body),
    headers: { 'bigpipe-url': 'http://receiver/?a=1&b=2' },
  });
});
