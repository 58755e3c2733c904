// Paths that are made for each message: whatever a message says, it is a value in them and nothing else.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UriTemplate } from '#src/message/request-shape.js';

const endpoint = { origin: 'http://r:1', path: '/old?x=1' };
const first = { topic: 'orders', partition: 3, offset: 17n };

function stored(key: Buffer | null, type?: string) {
  const headers: Record<string, string> = type === undefined ? {} : { 'bigpipe-type': type };
  return { topic: 'orders.G.overflow', partition: 3, offset: 99n, timestampMs: 0, key, body: Buffer.alloc(0), headers };
}

const pathOf = (template: string, key: string | Buffer | null = null, type?: string, method: string | null = null) =>
  new UriTemplate(template).at(endpoint, stored(key === null ? null : Buffer.from(key as string), type), first, method);

describe('what is put in', () => {
  test('is what the message says, where it was first stored', () => {
    const all = '/X/{#TOPIC}?p={#PARTITION}&t={#TRANSID}&k={#KEY}&m={#METHOD}&y={#TYPE}&format=msgpack';
    expect(pathOf(all, 'k1', 'a.b', 'Reply')).toEqual({
      origin: 'http://r:1',
      path: '/X/orders?p=3&t=17&k=k1&m=Reply&y=a.b&format=msgpack',
    });
    expect(pathOf(all).path).toBe('/X/orders?p=3&t=17&k=&m=*&y=&format=msgpack');
  });

  test('is percent-encoded', () => {
    expect(pathOf('/{#KEY}', 'a/b?c#d&e=f g{#TOPIC}$1中').path).toBe(
      '/a%2Fb%3Fc%23d%26e%3Df%20g%7B%23TOPIC%7D%241%E4%B8%AD',
    );
    expect(pathOf('/{#KEY}', Buffer.from([0xff, 0x00, 0x41])).path).toBe('/%FF%00%41');
    expect(pathOf('/{#METHOD}', null, undefined, 'pay$1now').path).toBe('/pay%241now');
  });

  test('never changes the shape of the path', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), fc.string({ unit: 'binary', maxLength: 20 }), (key, method) => {
        fc.pre(method.isWellFormed());
        const { path } = pathOf('/a/{#KEY}/{#METHOD}?q={#KEY}', Buffer.from(key), undefined, method);
        expect(path).toMatch(/^\/a\/[\w.!~*'()%-]*\/[\w.!~*'()%-]*\?q=[\w.!~*'()%-]*$/);
      }),
    );
  });
});

test.each([
  ['/a/{#KEY}?x={#TRANSID}', null],
  ['a', 'a path from the root on'],
  ['//other/host', 'a path from the root on'],
  [`/${'a'.repeat(5000)}`, 'a path from the root on'],
  ['/{#NOPE}', 'not {#NOPE}'],
  ['/{#key}', 'not {#key}'],
  ['/a b', 'visible ASCII'],
  ['/a#b', 'visible ASCII'],
  ['/{x}', 'visible ASCII'],
  ['/a\\b', 'visible ASCII'],
])('%j as a template: %s', (text, fault) => {
  const found = UriTemplate.faultOf(text);
  if (fault === null) expect(found).toBeNull();
  else expect(found).toContain(fault);
});
