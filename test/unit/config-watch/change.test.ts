// What a change is called: one line each, in the user's own keys, secrets never.
import { describe, expect, test } from 'vitest';
import { describeChange } from '#src/config-watch/change.js';
import { KeyValues } from '#src/config-watch/key-values.js';
import { Mask } from '#src/config-watch/mask.js';

type Json = Record<string, unknown>;
const keys = (values: Json, mask = new Mask()) => new KeyValues(values, mask);
const consumer = (changes: Json = {}): Json => ({ topic: 'T', groupId: 'G1', rateLimit: 100, ...changes });
const consumers = (...list: Json[]): Json => ({ 'kafka.consumer.list': list });
const topics = (...list: Json[]): Json => ({ 'kafka.topics': list });

const changes: [what: string, current: Json, next: Json, lines: string[]][] = [
  ['a number', { 'log.level': 4 }, { 'log.level': 5 }, ['log.level 4 -> 5']],
  ['a text', { 'management.host': 'a' }, { 'management.host': 'b' }, ['management.host "a" -> "b"']],
  ['a key that goes', { 'log.directory': 'a' }, {}, ['log.directory "a" -> nothing']],
  ['a key that comes', {}, { 'log.directory': 'a' }, ['log.directory nothing -> "a"']],
  ['a limit', consumers(consumer()), consumers(consumer({ rateLimit: 50 })), ['consumer G1 of T.rateLimit 100 -> 50']],
  [
    'consumers that come and go',
    consumers(consumer(), consumer({ groupId: 'G2' })),
    consumers(consumer(), consumer({ groupId: 'G3' })),
    ['consumer G2 of T removed', 'consumer G3 of T added'],
  ],
  [
    'the order of a list',
    consumers(consumer(), consumer({ groupId: 'G2' })),
    consumers(consumer({ groupId: 'G2' }), consumer()),
    [],
  ],
  ['the order of keys', consumers({ a: 1, ...consumer() }), consumers({ ...consumer(), a: 1 }), []],
  [
    'a key inside an object',
    consumers(consumer({ circuitBreaker: { winSize: 1, minStats: 2 } })),
    consumers(consumer({ circuitBreaker: { winSize: 3, minStats: 2 } })),
    ['consumer G1 of T.circuitBreaker.winSize 1 -> 3'],
  ],
  [
    'an object that comes',
    consumers(consumer()),
    consumers(consumer({ circuitBreaker: { winSize: 3 } })),
    ['consumer G1 of T.circuitBreaker nothing -> {"winSize":3}'],
  ],
  [
    'destinations',
    consumers(consumer({ destinations: [{ name: 'a', rateLimit: 1 }, { name: 'b' }] })),
    consumers(consumer({ destinations: [{ name: 'a', rateLimit: 2 }, { name: 'c' }] })),
    [
      'consumer G1 of T.destination a.rateLimit 1 -> 2',
      'consumer G1 of T.destination b removed',
      'consumer G1 of T.destination c added',
    ],
  ],
  [
    'a list of values',
    consumers(consumer({ retryOn: [1] })),
    consumers(consumer({ retryOn: [1, 2] })),
    ['consumer G1 of T.retryOn [1] -> [1,2]'],
  ],
  [
    'topics',
    topics({ name: 'X', partitions: 1 }, { name: 'Y', partitions: 1 }),
    topics({ name: 'Y', partitions: 2 }, { name: 'Z', partitions: 1 }),
    ['topic X removed', 'topic Y.partitions 1 -> 2', 'topic Z added'],
  ],
  [
    'a secret',
    { 'kafka.producer.acl': [{ name: 'a', secret: 'one' }], 'kafka.sasl.password': 'x' },
    { 'kafka.producer.acl': [{ name: 'a', secret: 'two' }], 'kafka.sasl.password': 'y' },
    ['acl a.secret changed', 'kafka.sasl.password changed'],
  ],
  ['a secret inside a value', { other: [{ password: 'one' }] }, { other: [{ password: 'two' }] }, ['other changed']],
];

describe('a change of', () => {
  test.each(changes)('%s', (_what, current, next, lines) => {
    expect(describeChange(keys(current), keys(next))).toEqual(lines);
    expect(describeChange(keys(next), keys(next))).toEqual([]);
  });

  test('what a reference stands for is told without it', () => {
    const [before, after] = [new Mask(), new Mask()];
    before.add('one', 'the reference');
    after.add('two', 'the reference');
    expect(describeChange(keys({ a: 'one' }, before), keys({ a: 'two' }, after))).toEqual(['a changed']);
    expect(describeChange(keys({ a: 'one' }, before), keys({ a: 'three' }))).toEqual(['a "the reference" -> "three"']);
    const named = topics({ name: 'two', partitions: 1 });
    expect(describeChange(keys(topics()), keys(named, after))).toEqual(['topic the reference added']);
  });
});
