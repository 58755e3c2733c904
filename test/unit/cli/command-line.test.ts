// Command lines: what each command says of itself, and what is told of one that cannot be carried out.
import { describe, expect, test } from 'vitest';
import { CommandError, type Surroundings } from '#src/cli/command.js';
import { commandIn, type Found, givenOf } from '#src/cli/command-line.js';
import { commands } from '#src/cli/commands.js';
import { helpOf, overview } from '#src/cli/usage.js';
import { Environment } from '#src/config-watch/env.js';
import { SystemClock } from '#src/message/clock.js';

const all = commands.map(({ words }) => words);

const around: Surroundings = {
  clock: new SystemClock(),
  environment: new Environment(),
  isJson: false,
  print: () => undefined,
  warn: () => undefined,
  show: () => undefined,
  stop: new AbortController().signal,
};

const found = (args: readonly string[]) => commandIn(args, commands) as Found;

test('all commands are listed', () => {
  const lines = overview(commands).join('\n');
  for (const words of all) expect(lines).toContain(`  bigpipe ${words}`);
});

test.each(all)('bigpipe %s --help names its places and all its options', (words) => {
  const args = [...words.split(' '), '--help'];
  const { command } = found(args);
  expect(command.words).toBe(words);
  expect([...givenOf(found(args)).switches]).toEqual(['help']);
  const text = helpOf(command).join('\n');
  for (const place of command.places) expect(text).toContain(place.replace('?', ''));
  for (const option of [...Object.keys(command.options), 'json', 'help']) expect(text).toContain(`--${option}`);
});

test.each([['nonsense'], [''], ['dlq'], ['dlq nothing'], ['config']])('%j is no command', (words) => {
  expect(commandIn(words.split(' '), commands)).toBeNull();
});

describe('a command line that is wrong', () => {
  test.each([
    [['explain'], 'ID is missing'],
    [['lag', 'x'], '"x" is too much'],
    [['lag', '--what'], "Unknown option '--what'"],
    [['lag', '--json=1'], "Option '--json' does not take an argument"],
    [['dlq', 'ls', 'test'], 'GROUP is missing'],
    [['dlq', 'show', 'test', 'G1', 'a', '0'], 'PARTITION: found "a", allowed: a whole number from 0 to 1023'],
    [['dlq', 'redrive', 'test', 'G1', '--rate', '0'], '--rate: found "0", allowed: a number above 0'],
    [['offsets', 'reset', 'test', 'G1'], '--to is missing'],
    [['tail', 'test', '--count', '0'], '--count: found "0", allowed: a whole number from 1 to'],
    [['bench', '--connections', 'many'], '--connections: found "many"'],
    [['bench'], 'BIGPIPE_CALLER is missing'],
    [['send', 'http://127.0.0.1:9'], 'BIGPIPE_CALLER is missing'],
    [['lag', '--against', 'nowhere'], '--against: found "nowhere", allowed: a URL'],
    [['lag', '--against', 'ftp://127.0.0.1'], '--against: found "ftp://127.0.0.1", allowed: a URL'],
    [['config', 'check', 'a', 'b'], '"b" is too much'],
  ])('%j is told so', async (args, message) => {
    const run = async () => {
      const { command } = found(args);
      return command.run(givenOf(found(args)), around);
    };
    await expect(run()).rejects.toThrow(CommandError);
    await expect(run()).rejects.toThrow(message);
  });
});
