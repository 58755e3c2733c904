#!/usr/bin/env node
// The operator's commands.
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { SettingsError } from '../config-watch/settings.js';
import { SystemClock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { checkConfig } from './config-check.js';

/** sysexits.h: EX_CONFIG, and EX_USAGE for a wrong command line. */
const exitConfig = 78;
const exitUsage = 64;
const usage = 'usage: bigpipe config check FILE [--against URL of a management listener]';

function parsed() {
  try {
    return parseArgs({ allowPositionals: true, options: { against: { type: 'string' } } });
  } catch (error) {
    return textOf(error);
  }
}

async function run(): Promise<number> {
  const args = parsed();
  if (typeof args === 'string') return told(`${args}\n${usage}`, exitUsage);
  const [room, command, file, ...more] = args.positionals;
  if (room !== 'config' || command !== 'check' || file === undefined || more.length > 0) return told(usage, exitUsage);
  try {
    const lines = await checkConfig(file, args.values.against ?? null, new SystemClock());
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    if (error instanceof SettingsError) return told(`the configuration is refused: ${error.message}`, exitConfig);
    return told(textOf(error), 1);
  }
}

function told(message: string, code: number): number {
  process.stderr.write(`bigpipe: ${message}\n`);
  return code;
}

process.exitCode = await run();
