#!/usr/bin/env node
// The operator's commands.
import 'reflect-metadata';
import { loadEnvironment } from '../config-watch/env.js';
import { SettingsError } from '../config-watch/settings.js';
import { SystemClock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { CommandError, exitConfig, exitUsage, type Surroundings } from './command.js';
import { commandIn, type Found, givenOf } from './command-line.js';
import { commands } from './commands.js';
import { helpOf, overview, usageOf } from './usage.js';

const clearLine = '\r\u001b[K';

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One line that is written over and over, for whoever sits in front of it. */
function show(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${clearLine}${line}`);
}

function told(message: string, code: number): number {
  show('');
  process.stderr.write(`bigpipe: ${message}\n`);
  return code;
}

async function run(args: readonly string[]): Promise<number> {
  const found = commandIn(args, commands);
  if (found === null) {
    const isAsked = args[0] === '--help' || args[0] === 'help';
    const lines = overview(commands).join('\n');
    if (!isAsked) return told(`${whyNone(args)}\n${lines}`, exitUsage);
    print(lines);
    return 0;
  }
  try {
    return await runCommand(found);
  } catch (error) {
    if (error instanceof CommandError)
      return told(`${error.message}\nusage: ${usageOf(found.command)} [OPTION...]`, exitUsage);
    if (error instanceof SettingsError) return told(`the configuration is refused: ${error.message}`, exitConfig);
    return told(textOf(error), 1);
  }
}

async function runCommand(found: Found): Promise<number> {
  const given = givenOf(found);
  if (given.switches.has('help')) {
    for (const line of helpOf(found.command)) print(line);
    return 0;
  }
  const { environment } = await loadEnvironment();
  const around: Surroundings = {
    clock: new SystemClock(),
    environment,
    isJson: given.switches.has('json'),
    print,
    warn: (line) => process.stderr.write(`${line}\n`),
    show,
    stop: stopOf(found),
  };
  const code = await found.command.run(given, around);
  show('');
  return code;
}

/** The program that `start` runs hears its signals itself. */
function stopOf({ command }: Found): AbortSignal {
  const stop = new AbortController();
  if (command.words === 'start') return stop.signal;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stop.abort(new Error(`ended by ${signal}`)));
  return stop.signal;
}

const whyNone = (args: readonly string[]) =>
  args.length === 0 ? 'a command is missing' : `${JSON.stringify(args.slice(0, 2).join(' '))} is no command`;

// Whoever reads may stop before the end: bigpipe tail | head.
process.stdout.on('error', () => process.exit(0));
process.exitCode = await run(process.argv.slice(2));
