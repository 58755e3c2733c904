// Every rule of the configuration: what is refused and in which words, what is only warned of, and what the defaults are.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { type LoadedSettings, loadSettings } from '#src/config-watch/load-settings.js';
import { originPatternAllowed } from '#src/config-watch/origin-pattern.js';
import { secretAllowed } from '#src/config-watch/secret-form.js';
import { SettingsError } from '#src/config-watch/settings.js';
import { seed000, seed001 } from '../../support/seed-configs.js';

type Json = Record<string, unknown>;

let directory: string;
let file: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'bigpipe-settings-'));
  file = join(directory, 'bigpipe.json');
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const consumer = (changes: Json = {}): Json => ({
  topic: 'test',
  groupId: 'G1',
  rateLimit: 100,
  timeout: 3000,
  retries: 2,
  concurrency: 5,
  ...changes,
});

const aclEntry = (changes: Json = {}): Json => ({ name: 'system-1', secret: 'hunter2', topic: 'test', ...changes });

const breaker = (changes: Json = {}): Json => ({
  breakPeriod: 10,
  recoverPeriod: 30,
  winSize: 60,
  minStats: 100,
  healthRate: 0.85,
  ...changes,
});

const whole = (changes: Json = {}): Json => ({
  'kafka.topics': [{ name: 'test', partitions: 3 }],
  'kafka.producer.acl': [aclEntry()],
  'kafka.consumer.list': [consumer()],
  ...changes,
});

const onKafka: Json = { 'broker.driver': 'kafka', 'kafka.bootstrap.servers': 'kafka-1:9092, kafka-2:9092' };

function load(config: Json | string, environment = new Environment()): LoadedSettings {
  writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
  return loadSettings(file, environment);
}

/** The lines of the refusal; fails when there is none. */
function faultsOf(config: Json | string): readonly string[] {
  try {
    load(config);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  throw new Error('the configuration was not refused');
}

const list = (changes: Json): Json => ({ 'kafka.consumer.list': [consumer(changes)] });
const at = (key: string) => `kafka.consumer.list[0].${key}`;
const asking = { 'webhook.origin': 'bus.example' };
const day = 86_400_000;
const concurrencyAllowed = 'a whole number from 1 to 10000, "auto", or {"min", "max"} of such numbers, min below max';

const statusesAllowed =
  'a list of statuses from 200 to 599, each a number, a class like "5xx", or a range like "500-504"';
const waitsAllowed = `an object, "kiteq", or a list of 1 to 100 waits in whole milliseconds from 1 to ${day}`;
const named = (changes: Json = {}): Json => ({ name: 'shop', origins: ['http://a.example'], ...changes });

type Fault = [what: string, changes: Json, line: string];

const textOf = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value));

/** The key of a consumer entry with each of the values, none of which is allowed. */
const wrongEach = (key: string, values: unknown[], allowed: string): Fault[] =>
  values.map((value) => [
    `${key} ${textOf(value)}`,
    list({ [key]: value }),
    `${at(key)}: found ${textOf(value)}, allowed: ${allowed}`,
  ]);

/** The same of a key inside an object. */
const wrongIn = (member: string, key: string, values: unknown[], allowed: string): Fault[] =>
  values.map((value) => [
    `${member}.${key} ${textOf(value)}`,
    list({ [member]: { [key]: value } }),
    `${at(`${member}.${key}`)}: found ${textOf(value)}, allowed: ${allowed}`,
  ]);

/** The same inside a named destination, the second of two. */
const wrongNamed = (key: string, values: unknown[], allowed: string, beside: Json = {}): Fault[] =>
  values.map((value) => {
    const other = named({ name: 'other', origins: ['http://b.example'] });
    return [
      `destinations.${key} ${textOf(value)}`,
      list({ destinations: [other, named({ ...beside, [key]: value })] }),
      `${at(`destinations[1].${key}`)}: found ${textOf(value)}, allowed: ${allowed}`,
    ];
  });

describe('a fault', () => {
  const faults: [string, Json, string][] = [
    ['rateLimit 0', list({ rateLimit: 0 }), `${at('rateLimit')}: found 0, allowed: a number above 0, at most 1000000`],
    [
      'rateLimit negative',
      list({ rateLimit: -1 }),
      `${at('rateLimit')}: found -1, allowed: a number above 0, at most 1000000`,
    ],
    [
      'rateLimit a text',
      list({ rateLimit: '100' }),
      `${at('rateLimit')}: found "100", allowed: a number above 0, at most 1000000`,
    ],
    [
      'rateLimit missing',
      list({ rateLimit: undefined }),
      `${at('rateLimit')}: found nothing, allowed: a number above 0, at most 1000000`,
    ],
    ['concurrency 0', list({ concurrency: 0 }), `${at('concurrency')}: found 0, allowed: ${concurrencyAllowed}`],
    [
      'concurrency negative',
      list({ concurrency: -5 }),
      `${at('concurrency')}: found -5, allowed: ${concurrencyAllowed}`,
    ],
    [
      'concurrency a fraction',
      list({ concurrency: 1.5 }),
      `${at('concurrency')}: found 1.5, allowed: ${concurrencyAllowed}`,
    ],
    [
      'concurrency null',
      list({ concurrency: null }),
      `${at('concurrency')}: found null, allowed: ${concurrencyAllowed}`,
    ],
    ['retries negative', list({ retries: -1 }), `${at('retries')}: found -1, allowed: a whole number from 0 to 1000`],
    [
      'timeout 0',
      list({ timeout: 0 }),
      `${at('timeout')}: found 0, allowed: a whole number of milliseconds from 1 to ${day}`,
    ],
    [
      'groupId with a slash',
      list({ groupId: 'a/b' }),
      `${at('groupId')}: found "a/b", allowed: 1 to 100 of A-Z a-z 0-9 . _ -`,
    ],
    [
      'an unknown topic in a consumer',
      list({ topic: 'nope' }),
      `${at('topic')}: found "nope", allowed: a topic of kafka.topics ("test")`,
    ],
    [
      'healthRate 85',
      list({ circuitBreaker: breaker({ healthRate: 85 }) }),
      `${at('circuitBreaker.healthRate')}: found 85, allowed: a number above 0, at most 1`,
    ],
    [
      'healthRate 0',
      list({ circuitBreaker: breaker({ healthRate: 0 }) }),
      `${at('circuitBreaker.healthRate')}: found 0, allowed: a number above 0, at most 1`,
    ],
    [
      'winSize 0',
      list({ circuitBreaker: breaker({ winSize: 0 }) }),
      `${at('circuitBreaker.winSize')}: found 0, allowed: a whole number of seconds from 1 to 3600`,
    ],
    [
      'minStats 0',
      list({ circuitBreaker: breaker({ minStats: 0 }) }),
      `${at('circuitBreaker.minStats')}: found 0, allowed: a whole number from 1 to 1000000`,
    ],
    [
      'a missing member of circuitBreaker',
      list({ circuitBreaker: breaker({ breakPeriod: undefined }) }),
      `${at('circuitBreaker.breakPeriod')}: found nothing, allowed: a whole number of seconds from 1 to 86400`,
    ],
    ['circuitBreaker a number', list({ circuitBreaker: 1 }), `${at('circuitBreaker')}: found 1, allowed: an object`],
    [
      'a backoff that shrinks',
      list({ retryBackoff: { initialMs: 100, maxMs: 50 } }),
      `${at('retryBackoff.maxMs')}: found 50, allowed: at least initialMs (100)`,
    ],
    [
      'an unheard-of jitter',
      list({ retryBackoff: { jitter: 'half' } }),
      `${at('retryBackoff.jitter')}: found "half", allowed: one of "full", "none"`,
    ],
    [
      'a consumer that is a text',
      { 'kafka.consumer.list': ['G1'] },
      'kafka.consumer.list: found ["G1"], allowed: a list of objects',
    ],
    [
      'no kafka.consumer.list',
      { 'kafka.consumer.list': undefined },
      'kafka.consumer.list: found nothing, allowed: a list of objects',
    ],
    [
      'the same group twice on a topic',
      { 'kafka.consumer.list': [consumer(), consumer({ rateLimit: 5 })] },
      'kafka.consumer.list[1].groupId: found "G1" a second time for this topic',
    ],
    [
      'partitions 0',
      { 'kafka.topics': [{ name: 'test', partitions: 0 }] },
      'kafka.topics[0].partitions: found 0, allowed: a whole number from 1 to 1024',
    ],
    [
      'partitions a text',
      { 'kafka.topics': [{ name: 'test', partitions: '3' }] },
      'kafka.topics[0].partitions: found "3", allowed: a whole number from 1 to 1024',
    ],
    [
      'a topic name that is no name',
      {
        'kafka.topics': [
          { name: 'test', partitions: 3 },
          { name: 'a b', partitions: 3 },
        ],
      },
      'kafka.topics[1].name: found "a b", allowed: 1 to 100 of A-Z a-z 0-9 . _ -',
    ],
    [
      'the same topic twice',
      {
        'kafka.topics': [
          { name: 'test', partitions: 3 },
          { name: 'test', partitions: 4 },
        ],
      },
      'kafka.topics[1].name: found "test" a second time',
    ],
    ['no topic at all', { 'kafka.topics': [] }, 'kafka.topics: found [], allowed: a list of at least 1 object'],
    ['kafka.topics null', { 'kafka.topics': null }, 'kafka.topics: found null, allowed: a list of at least 1 object'],
    [
      'an unknown topic in the acl',
      { 'kafka.producer.acl': [aclEntry({ topic: 'nope' })] },
      'kafka.producer.acl[0].topic: found "nope", allowed: a topic of kafka.topics ("test")',
    ],
    [
      'the same name twice',
      { 'kafka.producer.acl': [aclEntry(), aclEntry({ secret: 'other' })] },
      'kafka.producer.acl[1].name: found "system-1" a second time',
    ],
    [
      'a secret that is a number',
      { 'kafka.producer.acl': [aclEntry({ secret: 271_828 })] },
      `kafka.producer.acl[0].secret: found a value that is not shown, allowed: ${secretAllowed}`,
    ],
    [
      'no secret',
      { 'kafka.producer.acl': [aclEntry({ secret: undefined })] },
      `kafka.producer.acl[0].secret: found nothing, allowed: ${secretAllowed}`,
    ],
    [
      'no secrets in the list',
      { 'kafka.producer.acl': [aclEntry({ secret: undefined, secrets: [] })] },
      `kafka.producer.acl[0].secrets: found a value that is not shown, allowed: a list of 1 to 10, each ${secretAllowed}`,
    ],
    [
      'a hash that is none',
      { 'kafka.producer.acl': [aclEntry({ secret: undefined, secrets: ['good', 'sha256:no'] })] },
      `kafka.producer.acl[0].secrets: found a value that is not shown, allowed: a list of 1 to 10, each ${secretAllowed}`,
    ],
    [
      'a secret beside several',
      { 'kafka.producer.acl': [aclEntry({ secrets: ['good'] })] },
      'kafka.producer.acl[0].secrets: found beside secret, allowed: one of the two',
    ],
    [
      'an unknown topic among the others',
      { 'kafka.producer.acl': [aclEntry({ topics: ['test', 'nope'] })] },
      'kafka.producer.acl[0].topics: found "nope", allowed: a topic of kafka.topics ("test")',
    ],
    [
      'an allowed URL with a path',
      { 'kafka.producer.acl': [aclEntry({ allow: ['https://a.example/x'] })] },
      `kafka.producer.acl[0].allow: found ["https://a.example/x"], allowed: a list of origins ${originPatternAllowed}`,
    ],
    ['log.level 6', { 'log.level': 6 }, 'log.level: found 6, allowed: a whole number from 0 to 5'],
    ['log.sample 2', { 'log.sample': 2 }, 'log.sample: found 2, allowed: a number from 0 to 1'],
    ['log.level -1', { 'log.level': -1 }, 'log.level: found -1, allowed: a whole number from 0 to 5'],
    ['log.directory a number', { 'log.directory': 5 }, 'log.directory: found 5, allowed: a text that is not empty'],
    [
      'a port too high',
      { 'http.server.port': 65_536 },
      'http.server.port: found 65536, allowed: a whole number from 0 to 65535',
    ],
    [
      'a port that is a text',
      { 'http.server.port': '10086' },
      'http.server.port: found "10086", allowed: a whole number from 0 to 65535',
    ],
    [
      'a queue without room',
      { 'http.server.handler.channel.size': 0 },
      'http.server.handler.channel.size: found 0, allowed: a whole number from 1 to 10000000',
    ],
    [
      'a queue without room, by its older name',
      { 'kafka.producer.channel.size': -1 },
      'kafka.producer.channel.size: found -1, allowed: a whole number from 1 to 10000000',
    ],
    ['acks 2', { 'kafka.producer.acks': 2 }, 'kafka.producer.acks: found 2, allowed: one of 0, 1, -1'],
    [
      'numbers for ids without a Redis',
      { 'message.ids': 'counter' },
      'message.ids: found "counter", allowed: beside a redis.url only',
    ],
    [
      'a second place for marks without a Redis',
      { 'kafka.offset.store': 'redis' },
      'kafka.offset.store: found "redis", allowed: beside a redis.url only',
    ],
    [
      'an unknown driver',
      { 'broker.driver': 'redis' },
      'broker.driver: found "redis", allowed: one of "embedded", "memory", "kafka"',
    ],
    [
      'Kafka without servers',
      { 'broker.driver': 'kafka', 'kafka.bootstrap.servers': undefined },
      'kafka.bootstrap.servers: found nothing, allowed: one or more host:port, separated by commas',
    ],
    [
      'a server without a port',
      { 'kafka.bootstrap.servers': 'kafka-1' },
      'kafka.bootstrap.servers: found "kafka-1", allowed: one or more host:port, separated by commas',
    ],
    [
      'a mechanism without a password',
      { ...onKafka, 'kafka.sasl.mechanism': 'plain', 'kafka.sasl.username': 'alice' },
      'kafka.sasl.password: found nothing beside a mechanism',
    ],
    ['fsync a text', { 'broker.embedded.fsync': 'yes' }, 'broker.embedded.fsync: found "yes", allowed: true or false'],
    ...wrongEach('ordering', ['keys', null, 5], 'one of "key", "partition", "none"'),
    ...wrongEach('burst', [0, 1.5, -1, '5', null, 1_000_001], 'a whole number from 1 to 1000000'),
    ...wrongEach(
      'concurrency',
      [
        'automatic',
        10_001,
        [5],
        {},
        { min: 1 },
        { max: 5 },
        { min: 0, max: 5 },
        { min: 5, max: 5 },
        { min: 6, max: 5 },
        { min: 1, max: 10_001 },
        { min: 1, max: 5, start: 2 },
        { min: '1', max: 5 },
      ],
      concurrencyAllowed,
    ),
    ...['successOn', 'retryOn', 'rejectOn'].flatMap((key) =>
      wrongEach(key, [[100], [600], ['1xx'], ['5x'], ['504-500'], [200.5], [null], 200, '2xx', null], statusesAllowed),
    ),
    ...wrongEach('answerMaxBytes', [-1, 1.5, '64k', 16_777_217], 'a whole number of bytes from 0 to 16777216'),
    ...wrongEach('retryAfterMaxSeconds', [-1, 0.5, 86_401, '5'], 'a whole number of seconds from 0 to 86400'),
    ...wrongEach('warmupSeconds', [-1, 0.5, 3601, null], 'a whole number of seconds from 0 to 3600'),
    ...wrongEach('retryBackoff', [[], [0], [1.5], ['100'], [day + 1], 100, 'fast'], waitsAllowed),
    ...wrongIn('retryBackoff', 'factor', [0.99, 0, 11, '2'], 'a number above 0.99, at most 10'),
    ...wrongIn('retryBackoff', 'initialMs', [0, 1.5], `a whole number of milliseconds from 1 to ${day}`),
    ...wrongEach('retryBudget', [5, [], null, '20 %'], 'an object'),
    ...wrongIn('retryBudget', 'percent', [-1, 101, 0.5, '20'], 'a whole number of percent from 0 to 100'),
    ...wrongIn('retryBudget', 'floorPerSecond', [0, -1, '1', 1_000_001], 'a number above 0, at most 1000000'),
    ...wrongEach('destination', [5, [], null, 'http://a.example'], 'an object'),
    ...wrongIn('destination', 'rateLimit', [0, -1, '5', null], 'a number above 0, at most 1000000'),
    ...wrongIn('destination', 'concurrency', [0, 'all', { min: 2, max: 1 }], concurrencyAllowed),
    ...wrongEach('destinations', [5, {}, null, ['a']], 'a list of objects'),
    ...wrongNamed('name', [undefined, '', 'a b', 'a/b', 5], '1 to 100 of A-Z a-z 0-9 . _ -'),
    ...wrongNamed(
      'origins',
      [undefined, [], 'http://a.example', ['a.example'], ['http://a.example/path'], ['ftp://a.example'], [5]],
      'a list of at least one origin like "http://host:8080"',
    ),
    ...wrongNamed('rateLimit', [0, 'fast'], 'a number above 0, at most 1000000'),
    ...wrongNamed('concurrency', [0, 1.5], concurrencyAllowed),
    ...wrongNamed('burst', [0], 'a whole number from 1 to 1000000', { rateLimit: 5 }),
    [
      'a first wait above the longest one by default',
      list({ retryBackoff: { initialMs: 20_000 } }),
      `${at('retryBackoff.maxMs')}: found 10000, allowed: at least initialMs (20000)`,
    ],
    [
      'a burst of a destination without a rate',
      list({ destination: { burst: 5 } }),
      `${at('destination.burst')}: found 5, allowed: beside a rateLimit only`,
    ],
    [
      'a burst of a named destination without a rate',
      list({ destinations: [named({ burst: 5 })] }),
      `${at('destinations[0].burst')}: found 5, allowed: beside a rateLimit only`,
    ],
    [
      'the same name for two destinations',
      list({ destinations: [named(), named({ origins: ['http://b.example'] })] }),
      `${at('destinations[1].name')}: found "shop" a second time`,
    ],
    [
      'the same origin in two destinations, written differently',
      list({ destinations: [named(), named({ name: 'other', origins: ['HTTP://A.example:80/'] })] }),
      `${at('destinations[1].origins')}: found "http://a.example" a second time`,
    ],
    [
      'the same origin twice in one destination',
      list({ destinations: [named({ origins: ['http://a.example', 'http://a.example/'] })] }),
      `${at('destinations[0].origins')}: found "http://a.example" a second time`,
    ],
    [
      'consent of nobody',
      { ...asking, ...list({ handshake: 'required' }) },
      `${at('handshake')}: found "required" without url or endpoints, allowed: beside one of them`,
    ],
    [
      'consent of those who fetch',
      { ...asking, ...list({ handshake: 'required', delivery: 'pull' }) },
      `${at('handshake')}: found "required" beside "delivery": "pull", allowed: where messages are sent`,
    ],
    [
      'consent over gRPC',
      { ...asking, ...list({ handshake: 'required', url: 'grpc://h:1/a.B/C' }) },
      `${at('handshake')}: found "required" beside a grpc receiver, allowed: beside http ones`,
    ],
    [
      'consent to nobody',
      list({ handshake: 'required', url: 'http://a.example/' }),
      `webhook.origin: found nothing, allowed: the DNS name of this bigpipe, since ${at('handshake')} is "required"`,
    ],
    ...['https://a.example', 'a b', '-a.example', 'a..b', 5].map((origin): [string, Json, string] => [
      `${JSON.stringify(origin)} for a DNS name`,
      { 'webhook.origin': origin },
      `webhook.origin: found ${JSON.stringify(origin)}, allowed: a DNS name, as events.example.com`,
    ]),
    [
      'a status in two lists',
      list({ successOn: [200], retryOn: ['2xx'] }),
      `${at('retryOn')}: found 200, which is in successOn already`,
    ],
    [
      'a status in two lists, as ranges',
      list({ retryOn: ['500-504'], rejectOn: ['4xx', '504-599'] }),
      `${at('rejectOn')}: found 504, which is in retryOn already`,
    ],
  ];

  test.each(faults)('%s is refused in words', (_what, changes, line) => {
    expect(faultsOf(whole(changes))).toEqual([line]);
  });

  test('a long value is cut short', () => {
    const [line] = faultsOf(whole(list({ groupId: 'x'.repeat(500) })));
    expect(line?.length).toBeLessThan(200);
  });

  test('all faults of a file come at once, in the order of the file', () => {
    const changes = {
      'kafka.topics': [{ name: 'test', partitions: 0 }],
      'kafka.producer.acl': [{ name: 'system-1', topic: 'test' }],
      'kafka.consumer.list': [consumer({ rateLimit: 0 }), consumer({ groupId: 'G2', concurrency: 0, timeout: 'soon' })],
      'http.server.port': -1,
      'broker.driver': 'none',
    };
    const keys = faultsOf(whole(changes)).map((line) => line.split(':')[0]);
    expect(new Set(keys)).toEqual(
      new Set([
        'kafka.topics[0].partitions',
        'kafka.producer.acl[0].secret',
        'kafka.consumer.list[0].rateLimit',
        'kafka.consumer.list[1].concurrency',
        'kafka.consumer.list[1].timeout',
        'http.server.port',
        'broker.driver',
      ]),
    );
  });

  test('all contradictions of a file come at once', () => {
    const changes = {
      'kafka.producer.acl': [aclEntry({ topic: 'x' }), aclEntry({ topic: 'y' })],
      'kafka.consumer.list': [consumer({ topic: 'z' }), consumer({ topic: 'z' })],
    };
    const keys = faultsOf(whole(changes)).map((line) => line.split(':')[0]);
    expect(keys).toEqual([
      'kafka.producer.acl[0].topic',
      'kafka.producer.acl[1].topic',
      'kafka.producer.acl[1].name',
      'kafka.consumer.list[0].topic',
      'kafka.consumer.list[1].topic',
      'kafka.consumer.list[1].groupId',
    ]);
  });

  test('a wrong value and a contradiction come at once', () => {
    const changes = { 'kafka.producer.acl': [aclEntry({ topic: 'nope' })], ...list({ rateLimit: 0 }) };
    expect(faultsOf(whole(changes))).toHaveLength(2);
  });

  test('retryBackoff null is refused in words', () => {
    expect(faultsOf(whole(list({ retryBackoff: null })))).toHaveLength(1);
  });
});

describe('a secret', () => {
  const secret = 'hunter2';

  test('is not in the refusal of its own entry', () => {
    const changes = { 'kafka.producer.acl': [{ name: 5, secret, topic: 'nope' }], ...list({ topic: 'nope' }) };
    expect(faultsOf(whole(changes)).join('\n')).not.toContain(secret);
  });

  test('is not in the refusal of itself', () => {
    for (const wrong of [[secret], { secret }, { text: secret }]) {
      const lines = faultsOf(whole({ 'kafka.producer.acl': [aclEntry({ secret: wrong })] }));
      expect(lines.join('\n')).not.toContain(secret);
    }
  });

  test.each([
    ['an object instead of a list', { secret, name: 'system-1', topic: 'test' }],
    ['a list with something else in it', [{ secret, name: 'system-1', topic: 'test' }, 5]],
    ['a list in a list', [[{ secret, name: 'system-1', topic: 'test' }]]],
  ])('is not in the refusal of a kafka.producer.acl that is %s', (_what, acl) => {
    expect(faultsOf(whole({ 'kafka.producer.acl': acl })).join('\n')).not.toContain(secret);
  });

  test('is not in the refusal of a file that is a list', () => {
    expect(faultsOf(`[{"kafka.producer.acl": [{"secret": "${secret}"}]}]`).join('\n')).not.toContain(secret);
  });

  test.each([
    ['a secret without quotes', `{"kafka.producer.acl": [{"name": "system-1", "secret": ${secret}, "topic": "test"}]}`],
    ['a secret in single quotes', `{"kafka.producer.acl": [{"name": "system-1", "secret": '${secret}'}]}`],
  ])('is not in the refusal of a file with %s', (_what, text) => {
    expect(faultsOf(text).join('\n')).not.toContain(secret);
  });

  test('is not in a warning', () => {
    const changes = {
      'kafka.producer.acl': [aclEntry({ secret_: secret, Secret: secret })],
      'kafka.producer.acls': [aclEntry()],
    };
    expect(load(whole(changes)).warnings.join('\n')).not.toContain(secret);
  });
});

describe('a file', () => {
  test.each([
    ['', /^is not JSON: /],
    ['{', /^is not JSON: /],
    ['{"log.level": 4,}', /^is not JSON: /],
    ['// comment\n{}', /^is not JSON: /],
    ['[]', /^is not a JSON object but a list$/],
    ['null', /^is not a JSON object but null$/],
    ['"text"', /^is not a JSON object but "text"$/],
    ['5', /^is not a JSON object but 5$/],
  ])('that holds %j is refused', (text, line) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(line)]);
  });

  test('that is not there, or is an empty directory, is refused by name', () => {
    const empty = join(directory, 'empty');
    mkdirSync(empty);
    for (const path of [join(directory, 'missing.json'), empty]) {
      const attempt = () => loadSettings(path, new Environment());
      expect(attempt).toThrow(SettingsError);
      expect(attempt).toThrow(/^.*: *\n? *cannot be read: /);
      expect(attempt).toThrow(path);
    }
  });

  test('with nothing in it names all that must be there', () => {
    expect(faultsOf({}).map((line) => line.split(':')[0])).toEqual([
      'kafka.topics',
      'kafka.producer.acl',
      'kafka.consumer.list',
    ]);
  });
});

describe('a key that is not known', () => {
  const unknown: [Json, string, string][] = [
    [{ 'http.server.prot': 1 }, 'http.server.prot', 'http.server.port'],
    [{ 'log.levle': 1 }, 'log.levle', 'log.level'],
    [
      { 'kafka.topics': [{ name: 'test', partitions: 3, partition: 4 }] },
      'kafka.topics[0].partition',
      'kafka.topics[0].partitions',
    ],
    [
      { 'kafka.producer.acl': [aclEntry({ secret_: 'x' })] },
      'kafka.producer.acl[0].secret_',
      'kafka.producer.acl[0].secret',
    ],
    [list({ ratelimit: 5 }), at('ratelimit'), at('rateLimit')],
    [list({ retryBackoff: { maxms: 5 } }), at('retryBackoff.maxms'), at('retryBackoff.maxMs')],
    [
      list({ circuitBreaker: breaker({ healthrate: 5 }) }),
      at('circuitBreaker.healthrate'),
      at('circuitBreaker.healthRate'),
    ],
    [list({ sucessOn: [200] }), at('sucessOn'), at('successOn')],
    [list({ warmUpSeconds: 5 }), at('warmUpSeconds'), at('warmupSeconds')],
    [list({ retryBudget: { percents: 5 } }), at('retryBudget.percents'), at('retryBudget.percent')],
    [list({ destination: { ratelimit: 5 } }), at('destination.ratelimit'), at('destination.rateLimit')],
    [
      list({ destinations: [named({ origin: 'http://a.example' })] }),
      at('destinations[0].origin'),
      at('destinations[0].origins'),
    ],
    [list({ destinations: [named({ Burst: 5 })] }), at('destinations[0].Burst'), at('destinations[0].burst')],
  ];
  test.each(unknown)('%j is a warning that names the nearest known one', (changes, key, nearest) => {
    const { warnings } = load(whole(changes));
    expect(warnings).toContain(`${key} is not a known key and is ignored; did you mean ${nearest}?`);
  });

  test('$schema is for editors, $comment for readers', () => {
    expect(load(whole({ $schema: './schema.json', $comment: 'words' })).warnings).toEqual([]);
  });

  test('a file without such keys has no warnings', () => {
    expect(load(whole()).warnings).toEqual([]);
  });
});

describe("the original's sample", () => {
  test('of today loads as it stands', () => {
    const { settings, warnings } = load(seed000);
    expect(settings).toMatchObject({
      log: { level: 5, directory: './logs' },
      topics: [{ name: 'test', partitions: 3 }],
      acl: [
        { name: 'system-1', secrets: [{ kind: 'plain', text: 'you are good' }], topic: 'test' },
        { name: 'system-2', secrets: [{ kind: 'plain', text: 'you are bad' }], topic: 'test' },
      ],
      subscriptions: [
        {
          topic: 'test',
          groupId: 'G1',
          rate: { perSecond: 100, burst: 100 },
          timeoutMs: 3000,
          retries: 2,
          concurrency: { min: 5, max: 5 },
        },
        {
          topic: 'test',
          groupId: 'G2',
          rate: { perSecond: 100, burst: 100 },
          timeoutMs: 3000,
          retries: 2,
          concurrency: { min: 5, max: 5 },
        },
      ],
      producer: { maxWaiting: 500_000 },
      server: { port: 10_086, readTimeoutMs: 5000, writeTimeoutMs: 5000 },
    });
    expect(warnings.filter((warning) => warning.includes('not a known key'))).toEqual([]);
  });

  test('of older days loads as it stands', () => {
    const { settings, warnings } = load(seed001);
    expect(settings.producer.maxWaiting).toBe(200_000);
    expect(warnings).toEqual([]);
  });
});

describe('settings', () => {
  test('without a word about it are the safe ones', () => {
    expect(load(whole()).settings).toMatchObject({
      log: { level: 4, directory: null, sample: 0.01 },
      producer: { acks: -1, maxWaiting: 100_000 },
      server: { host: '0.0.0.0', port: 10_086, maxBodyBytes: 1_048_576 },
      management: { host: '127.0.0.1', port: 10_087 },
      broker: { driver: 'embedded', embedded: { directory: './data', fsync: true, retentionHardMs: 0 } },
    });
  });

  test('a rate below one a second is kept as it is', () => {
    expect(load(whole(list({ rateLimit: 0.5 }))).settings.subscriptions[0]?.rate).toEqual({ perSecond: 0.5, burst: 1 });
  });

  const subscriptionOf = (changes: Json = {}) => {
    const [subscription] = load(whole(list(changes))).settings.subscriptions;
    if (subscription === undefined) throw new Error('there is no subscription');
    return subscription;
  };

  test('of a subscription without a word about it are those of the original and the field', () => {
    const { verdicts, ...settings } = subscriptionOf();
    expect(settings).toEqual({
      topic: 'test',
      groupId: 'G1',
      endpoints: null,
      choice: 'round-robin',
      rateScope: 'node',
      url: null,
      isPulled: false,
      bindings: [],
      filters: [],
      ordering: 'key',
      rate: { perSecond: 100, burst: 100 },
      concurrency: { min: 5, max: 5 },
      timeoutMs: 3000,
      retries: 2,
      backoff: { initialMs: 100, maxMs: 10_000, factor: 2, jitter: 'full' },
      poison: 'skip',
      deadLetterTopic: 'test.G1.dlq',
      retryBudget: { share: 0.2, floorPerSecond: 1 },
      retryAfterMaxMs: 3_600_000,
      maxAnswerBytes: 65_536,
      signing: null,
      circuit: null,
      warmupMs: 0,
      destination: { rate: null, concurrency: null },
      destinations: [],
      answerTopic: null,
      uri: null,
      headers: [],
      methods: null,
      durable: true,
      needsConsent: false,
      startAt: 'earliest',
    });
    expect([200, 301, 410, 429, 503].map((status) => verdicts.of(status))).toEqual([
      'delivered',
      'rejected',
      'rejected',
      'retry',
      'retry',
    ]);
  });

  test('of a subscription with a word about everything are as they stand there', () => {
    const { verdicts, ...settings } = subscriptionOf({
      ordering: 'none',
      rateLimit: 7.5,
      burst: 3,
      concurrency: { min: 2, max: 9 },
      retryBackoff: [100, 5000, 60_000],
      retryBudget: { percent: 50, floorPerSecond: 0.5 },
      retryAfterMaxSeconds: 60,
      warmupSeconds: 30,
      answerMaxBytes: 0,
      successOn: [200, '300-304'],
      retryOn: ['5xx'],
      rejectOn: [404],
      circuitBreaker: breaker(),
      destination: { rateLimit: 0.5, concurrency: 2 },
      destinations: [
        named({
          origins: ['HTTP://A.Example:80/', 'https://b.example:8443'],
          rateLimit: 20,
          burst: 1,
          concurrency: 'auto',
        }),
        named({ name: 'other', origins: ['http://c.example'] }),
      ],
    });
    expect(settings).toMatchObject({
      ordering: 'none',
      rate: { perSecond: 7.5, burst: 3.075 },
      concurrency: { min: 2, max: 9 },
      backoff: [100, 5000, 60_000],
      retryBudget: { share: 0.5, floorPerSecond: 0.5 },
      retryAfterMaxMs: 60_000,
      warmupMs: 30_000,
      maxAnswerBytes: 0,
      circuit: { breakPeriodMs: 10_000, recoverPeriodMs: 30_000, windowSeconds: 60, minStats: 100, healthRate: 0.85 },
      destination: { rate: { perSecond: 0.5, burst: 1 }, concurrency: { min: 2, max: 2 } },
      destinations: [
        {
          name: 'shop',
          origins: ['http://a.example', 'https://b.example:8443'],
          rate: { perSecond: 20, burst: 1.2 },
          concurrency: { min: 1, max: 200 },
        },
        { name: 'other', origins: ['http://c.example'], rate: null, concurrency: null },
      ],
    });
    expect([200, 302, 204, 404, 410, 500, 429].map((status) => verdicts.of(status))).toEqual([
      'delivered',
      'delivered',
      'rejected',
      'rejected',
      'rejected',
      'retry',
      'rejected',
    ]);
  });

  test('concurrency "auto" is from one at a time to 200', () => {
    expect(subscriptionOf({ concurrency: 'auto' }).concurrency).toEqual({ min: 1, max: 200 });
  });

  test('a part of an object keeps the other defaults', () => {
    expect(subscriptionOf({ retryBackoff: { factor: 3 } }).backoff).toEqual({
      initialMs: 100,
      maxMs: 10_000,
      factor: 3,
      jitter: 'full',
    });
    expect(subscriptionOf({ retryBudget: { percent: 0 } }).retryBudget).toEqual({ share: 0, floorPerSecond: 1 });
  });

  test('"exactly 200" is one setting away', () => {
    const { verdicts } = subscriptionOf({ successOn: [200], rejectOn: [] });
    expect([200, 201, 302, 404, 500].map((status) => verdicts.of(status))).toEqual([
      'delivered',
      'retry',
      'retry',
      'retry',
      'retry',
    ]);
  });

  test('the faults of a list of consumers name each its own entry', () => {
    const changes = {
      'kafka.consumer.list': [
        consumer({ retryBudget: { percent: 101 } }),
        consumer({ groupId: 'G2', destinations: [named({ concurrency: 0 })], retryBackoff: { factor: 0 } }),
      ],
    };
    expect(new Set(faultsOf(whole(changes)).map((line) => line.split(':')[0]))).toEqual(
      new Set([
        'kafka.consumer.list[0].retryBudget.percent',
        'kafka.consumer.list[1].destinations[0].concurrency',
        'kafka.consumer.list[1].retryBackoff.factor',
      ]),
    );
  });

  test('are frozen through and through', () => {
    const { settings } = load(whole());
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(settings)).toBe(true);
  });

  test('of Kafka: what is not said, and what is', () => {
    const { kafka } = load(whole({ ...onKafka, 'http.server.max.body.size': 1_000_000 })).settings.broker;
    expect(kafka).toEqual({
      servers: ['kafka-1:9092', 'kafka-2:9092'],
      clientId: 'bigpipe',
      tls: null,
      sasl: null,
      format: 'bigpipe',
      replicationFactor: 0,
      maxMessageBytes: 1_065_536,
      maxMetadataBytes: 4096,
      offsetStore: 'kafka',
      producer: { retries: 2, timeoutMs: 4000, lingerMs: 1, compression: 'none', maxWaitingBytes: 67_108_864 },
      consumer: { sessionTimeoutMs: 10_000, heartbeatMs: 300, maxWaitMs: 500, maxBufferBytes: 67_108_864 },
    });
    const changes = {
      ...onKafka,
      'kafka.tls': true,
      'kafka.tls.ca': '/ca.pem',
      'kafka.sasl.mechanism': 'scram-sha-512',
      'kafka.sasl.username': 'alice',
      'kafka.message.format': 'bigpipe-go',
    };
    const environment = Object.assign(new Environment(), { KAFKA_BROKERS: 'a:1,b:2', BIGPIPE_KAFKA_PASSWORD: 'p' });
    expect(load(whole(changes), environment).settings.broker.kafka).toMatchObject({
      servers: ['a:1', 'b:2'],
      tls: { caFile: '/ca.pem', certFile: null, keyFile: null, verify: true },
      sasl: { mechanism: 'scram-sha-512', username: 'alice', password: 'p' },
      format: 'bigpipe-go',
    });
  });

  test('of the environment win over the file', () => {
    const environment = Object.assign(new Environment(), {
      BIGPIPE_HOST: '127.0.0.2',
      BIGPIPE_PORT: '1234',
      BIGPIPE_MANAGEMENT_HOST: '127.0.0.3',
      BIGPIPE_MANAGEMENT_PORT: '1235',
      BIGPIPE_DATA_DIR: '/elsewhere',
      BIGPIPE_LOG_LEVEL: '2',
    });
    const file = { 'http.server.port': 1, 'log.level': 5, 'broker.embedded.directory': './here' };
    expect(load(whole(file), environment).settings).toMatchObject({
      log: { level: 2 },
      server: { host: '127.0.0.2', port: 1234 },
      management: { host: '127.0.0.3', port: 1235 },
      broker: { embedded: { directory: '/elsewhere' } },
    });
  });
});
