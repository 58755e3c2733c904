// Several files as one configuration: what they may say together, and which file a fault is in.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readConfig } from '#src/config-watch/config-files.js';
import { Environment } from '#src/config-watch/env.js';
import { loadSettings } from '#src/config-watch/load-settings.js';
import { SettingsError } from '#src/config-watch/settings.js';
import { baseConfig, baseConsumer, type Config } from '../../support/bigpipe-process.js';
import { ConfigHome } from '../../support/config-home.js';

let home: ConfigHome;
let folder: string;

beforeEach(() => {
  home = new ConfigHome();
  folder = join(home.directory, 'conf.d');
  mkdirSync(folder);
});
afterEach(() => home.dispose());

function write(files: Record<string, Config | string>): void {
  for (const [name, config] of Object.entries(files)) home.write(config, join('conf.d', name));
}

const merged = (files: Record<string, Config | string>) => {
  write(files);
  return readConfig(folder).raw;
};

function faultsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('files of a directory', () => {
  test('are one: objects deeply, named lists by name, in the order of the names', () => {
    expect(
      merged({
        'b.json': {
          'kafka.topics': [{ name: 'Y', partitions: 2 }, { name: 'X' }],
          'kafka.consumer.list': [{ topic: 'T', groupId: 'G', retryBudget: { floorPerSecond: 2 } }],
        },
        'a.json': {
          'log.level': 4,
          'kafka.topics': [{ name: 'X', partitions: 1 }],
          'kafka.consumer.list': [
            { topic: 'T', groupId: 'F' },
            { topic: 'T', groupId: 'G', retryBudget: { percent: 1 }, destinations: [{ name: 'd', rateLimit: 1 }] },
          ],
        },
        'c.json': { 'kafka.consumer.list': [{ groupId: 'G', topic: 'T', destinations: [{ name: 'd', burst: 2 }] }] },
        '.d.json': '{ hidden',
        'e.txt': 'no json',
      }),
    ).toEqual({
      'log.level': 4,
      'kafka.topics': [
        { name: 'X', partitions: 1 },
        { name: 'Y', partitions: 2 },
      ],
      'kafka.consumer.list': [
        { topic: 'T', groupId: 'F' },
        {
          topic: 'T',
          groupId: 'G',
          retryBudget: { percent: 1, floorPerSecond: 2 },
          destinations: [{ name: 'd', rateLimit: 1, burst: 2 }],
        },
      ],
    });
  });

  test('may say the same twice, and each has its own way to the schema', () => {
    expect(merged({ 'a.json': { $schema: 'x', 'log.level': 4 }, 'b.json': { $schema: 'y', 'log.level': 4 } })).toEqual({
      'log.level': 4,
    });
  });

  test('that say something differently are refused, with every key and both files', () => {
    write({
      'a.json': { 'log.level': 4, 'kafka.producer.acl': [{ name: 'n', secret: 'one' }] },
      'b.json': { 'kafka.consumer.list': [{ topic: 'T', groupId: 'G', retryOn: [500] }] },
      'c.json': {
        'log.level': 5,
        'kafka.producer.acl': [{ name: 'n', secret: 'two' }],
        'kafka.consumer.list': [{ topic: 'T', groupId: 'G', retryOn: [501] }],
      },
    });
    expect(faultsOf(() => readConfig(folder))).toEqual([
      'log.level: found 4 in a.json and 5 in c.json, allowed: one value',
      'kafka.producer.acl[0].secret: found a value that is not shown in a.json and a value that is not shown in c.json, allowed: one value',
      'kafka.consumer.list[0].retryOn: found [500] in b.json and [501] in c.json, allowed: one value',
    ]);
  });

  test('that cannot be read are all named', () => {
    write({ 'a.json': '{', 'b.json': {}, 'c.json': '[]' });
    const faults = faultsOf(() => readConfig(folder));
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/a\.json is not JSON: /);
    expect(faults[1]).toMatch(/c\.json is not a JSON object but a list$/);
  });

  test('have their faults told with the file and the name of the entry', () => {
    const { 'kafka.consumer.list': _, ...rest } = baseConfig();
    write({
      'a.json': { ...rest, 'kafka.consumer.list': [baseConsumer()] },
      'b.json': { 'kafka.consumer.list': [baseConsumer({ groupId: 'G2', timeout: 0 })], 'log.level': 9 },
      'c.json': { 'kafka.consumer.list': [{ topic: 'test', groupId: 'G1', burst: 0 }] },
    });
    expect(faultsOf(() => loadSettings(folder, new Environment()))).toEqual([
      'log.level: found 9, allowed: a whole number from 0 to 5 (in b.json)',
      'kafka.consumer.list[0].burst: found 0, allowed: a whole number from 1 to 1000000 (consumer G1 of test, in c.json)',
      'kafka.consumer.list[1].timeout: found 0, allowed: a whole number of milliseconds from 1 to 86400000 (consumer G2 of test, in b.json)',
    ]);
  });

  test('do not hide an entry that stands twice in one of them', () => {
    write({ 'a.json': { ...baseConfig(), 'kafka.consumer.list': [baseConsumer(), baseConsumer()] }, 'b.json': {} });
    const again = 'kafka.consumer.list[1].groupId: found "G1" a second time for this topic (consumer G1 of test, in ';
    expect(faultsOf(() => loadSettings(folder, new Environment()))).toEqual([`${again}a.json)`]);
    write({ 'a.json': baseConfig(), 'b.json': { 'kafka.consumer.list': [baseConsumer(), baseConsumer()] } });
    expect(faultsOf(() => loadSettings(folder, new Environment()))).toEqual([`${again}b.json)`]);
  });

  test('are at most 256', () => {
    write(Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`${i}.json`, '{}'])));
    expect(faultsOf(() => readConfig(folder))).toEqual(['has 257 *.json files, allowed: at most 256']);
  });
});

describe('a file', () => {
  test('that is nested too deeply is refused', () => {
    const deep = `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`;
    write({ 'a.json': deep });
    expect(faultsOf(() => readConfig(join(folder, 'a.json')))).toEqual(['is nested too deeply, allowed: 32 levels']);
    write({ 'a.json': `${'['.repeat(100_000)}${']'.repeat(100_000)}` });
    expect(faultsOf(() => readConfig(join(folder, 'a.json')))).toHaveLength(1);
  });
});
