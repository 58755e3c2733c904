// Every rule of the configuration: what is refused and in which words, what is only warned of, and what the defaults are.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { type LoadedSettings, loadSettings } from '#src/config-watch/load-settings.js';
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
const day = 86_400_000;
const concurrencyAllowed = 'a whole number from 1 to 10000, "auto", or {"min", "max"} of such numbers, min below max';

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
      'kafka.producer.acl[0].secret: found a value that is not shown, allowed: a text that is not empty',
    ],
    [
      'no secret',
      { 'kafka.producer.acl': [aclEntry({ secret: undefined })] },
      'kafka.producer.acl[0].secret: found nothing, allowed: a text that is not empty',
    ],
    ['log.level 6', { 'log.level': 6 }, 'log.level: found 6, allowed: a whole number from 1 to 5'],
    ['log.level 0', { 'log.level': 0 }, 'log.level: found 0, allowed: a whole number from 1 to 5'],
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
      'an unknown driver',
      { 'broker.driver': 'redis' },
      'broker.driver: found "redis", allowed: one of "embedded", "memory"',
    ],
    ['fsync a text', { 'broker.embedded.fsync': 'yes' }, 'broker.embedded.fsync: found "yes", allowed: true or false'],
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
      'kafka.producer.acl': [aclEntry({ secrets: secret, Secret: secret })],
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

  test('that is not there, or is a directory, is refused by name', () => {
    for (const path of [join(directory, 'missing.json'), directory]) {
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
      { 'kafka.producer.acl': [aclEntry({ secrets: 'x' })] },
      'kafka.producer.acl[0].secrets',
      'kafka.producer.acl[0].secret',
    ],
    [list({ ratelimit: 5 }), at('ratelimit'), at('rateLimit')],
    [list({ retryBackoff: { maxms: 5 } }), at('retryBackoff.maxms'), at('retryBackoff.maxMs')],
    [
      list({ circuitBreaker: breaker({ healthrate: 5 }) }),
      at('circuitBreaker.healthrate'),
      at('circuitBreaker.healthRate'),
    ],
  ];
  test.each(unknown)('%j is a warning that names the nearest known one', (changes, key, nearest) => {
    const { warnings } = load(whole(changes));
    expect(warnings).toContain(`${key} is not a known key and is ignored; did you mean ${nearest}?`);
  });

  test('$schema is for editors', () => {
    expect(load(whole({ $schema: './schema.json' })).warnings).toEqual([]);
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
        { name: 'system-1', secret: 'you are good', topic: 'test' },
        { name: 'system-2', secret: 'you are bad', topic: 'test' },
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
      log: { level: 4, directory: null },
      producer: { acks: -1, maxWaiting: 100_000 },
      server: { host: '0.0.0.0', port: 10_086, maxBodyBytes: 1_048_576 },
      management: { host: '127.0.0.1', port: 10_087 },
      broker: { driver: 'embedded', embedded: { directory: './data', fsync: true, retentionHardMs: 0 } },
    });
  });

  test('a rate below one a second is kept as it is', () => {
    expect(load(whole(list({ rateLimit: 0.5 }))).settings.subscriptions[0]?.rate).toEqual({ perSecond: 0.5, burst: 1 });
  });

  test('are frozen through and through', () => {
    const { settings } = load(whole());
    const isFrozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
    expect(isFrozen(settings)).toBe(true);
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
