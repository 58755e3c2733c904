// ${env:NAME} and ${file:/path}: what they become, what is told when they cannot, and that nobody ever sees it.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { type LoadedSettings, loadSettings } from '#src/config-watch/load-settings.js';
import type { PlainSecret } from '#src/config-watch/secret-form.js';
import { SettingsError } from '#src/config-watch/settings.js';
import { baseConfig, type Config } from '../../support/bigpipe-process.js';
import { ConfigHome } from '../../support/config-home.js';

let home: ConfigHome;

beforeEach(() => {
  home = new ConfigHome();
});
afterEach(() => home.dispose());

const secret = 'hunter2-the-secret';
const withSecret = (text: string, changes: Config = {}): Config =>
  baseConfig({ 'kafka.producer.acl': [{ name: 'n', secret: text, topic: 'test' }], ...changes });

function load(config: Config, variables: Record<string, string> = {}, referred = new Set<string>()): LoadedSettings {
  return loadSettings(home.write(config), new Environment(), { variables, referred, started: null });
}

function faultsOf(config: Config, variables: Record<string, string> = {}): readonly string[] {
  try {
    load(config, variables);
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
  throw new Error('nothing was refused');
}

const secretOf = ({ settings }: LoadedSettings) => (settings.acl[0]?.secrets[0] as PlainSecret | undefined)?.text;

describe('a reference', () => {
  test('to the environment is what the variable holds, also inside a text and more than once', () => {
    expect(secretOf(load(withSecret(`a-\${env:ONE}-\${env:TWO}`), { ONE: '1', TWO: '2' }))).toBe('a-1-2');
  });

  test('to a file is what the file holds, without the line feed at its end', () => {
    const referred = new Set<string>();
    const file = home.write(`${secret}\n`, 'token');
    expect(secretOf(load(withSecret(`\${file:${file}}`), {}, referred))).toBe(secret);
    expect([...referred]).toEqual([file]);
  });

  test('is the text itself with a second dollar sign', () => {
    expect(secretOf(load(withSecret(`$\${env:ONE}`)))).toBe(`\${env:ONE}`);
    expect(secretOf(load(withSecret(`\${plain} $5`)))).toBe(`\${plain} $5`);
  });

  test('is resolved once: what it stands for is no reference', () => {
    expect(secretOf(load(withSecret(`\${env:ONE}`), { ONE: `\${env:TWO}`, TWO: '2' }))).toBe(`\${env:TWO}`);
  });

  test('that leads nowhere is told with its key path and its name, every one of them', () => {
    const folder = join(home.directory, 'folder');
    mkdirSync(folder);
    const large = home.write('x'.repeat(65_537), 'large');
    const empty = home.write('\n', 'empty');
    const acl = [
      `\${env:ONE}`,
      `\${file:/nowhere/at-all}`,
      `\${file:${folder}}`,
      `\${file:${large}}`,
      `\${file:${empty}}`,
      `\${vault:x}`,
    ];
    const entries = acl.map((text, i) => ({ name: `n${i}`, secret: text, topic: 'test' }));
    const path = (i: number) => `kafka.producer.acl[${i}].secret: found ${acl[i]}`;
    expect(faultsOf(baseConfig({ 'kafka.producer.acl': entries }))).toEqual([
      `${path(0)}, but the environment variable ONE is not set`,
      `${path(1)}, but /nowhere/at-all cannot be read: ENOENT`,
      `${path(2)}, but ${folder} cannot be read: it is no file`,
      `${path(3)}, but ${large} cannot be read: it has 65537 bytes, allowed: at most 65536`,
      `${path(4)}, but ${empty} cannot be read: it is empty`,
      `${path(5)}, allowed: \${env:NAME} or \${file:/path}; $\${ for the text itself`,
    ]);
  });

  test('that is followed by too many others is one fault', () => {
    expect(faultsOf(withSecret(`\${env:ONE}`.repeat(1010)), { ONE: '1' })).toEqual([
      'kafka.producer.acl[0].secret: found reference number 1001, allowed: at most 1000',
    ]);
  });

  test('is shown in the keys in place of what it stands for, whatever the key', () => {
    const { keys } = load(withSecret(`\${env:ONE}`, { 'log.directory': `logs/\${env:ONE}` }), { ONE: secret });
    expect(keys.masked()).toMatchObject({
      'log.directory': `logs/\${env:ONE}`,
      'kafka.producer.acl': [{ name: 'n', secret: `\${env:ONE}`, topic: 'test' }],
    });
    expect(JSON.stringify(keys.masked())).not.toContain(secret);
  });

  test('is shown in a fault in place of what it stands for, whole or in part, however long', () => {
    const long = 'the secret is longer than a line of a fault may be, so that it would be cut';
    const topics = [
      { name: `\${env:ONE}`, partitions: 1 },
      { name: `x y \${env:ONE}`, partitions: 1 },
    ];
    for (const text of [secret, long]) {
      const faults = faultsOf(withSecret('a', { 'kafka.topics': topics, 'log.level': `\${env:ONE}` }), { ONE: text });
      expect(faults.length).toBeGreaterThan(1);
      expect(faults.join('\n')).toContain(`\${env:ONE}`);
      expect(faults.join('\n')).not.toContain(text.slice(0, 10));
    }
  });
});

test('a secret that is written down is shown nowhere', () => {
  const { keys } = load(withSecret(secret));
  expect(keys.masked()['kafka.producer.acl']).toEqual([{ name: 'n', secret: '***', topic: 'test' }]);
});
