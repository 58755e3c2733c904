#!/usr/bin/env node
// The operator's commands.
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { SettingsError } from '../config-watch/settings.js';
import { SystemClock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { checkConfig } from './config-check.js';
import { resetOffsets } from './offsets-reset.js';

/** sysexits.h: EX_CONFIG, and EX_USAGE for a wrong command line. */
const exitConfig = 78;
const exitUsage = 64;
const management = 'http://127.0.0.1:10087';
const usage = `usage: bigpipe config check FILE [--against URL]
       bigpipe offsets reset TOPIC GROUP --to earliest|latest|OFFSET|TIME [--partition N] [--against URL]
URL is a management listener; offsets reset asks ${management} unless told otherwise.
Its token is read from BIGPIPE_MANAGEMENT_TOKEN`;

const options = { against: { type: 'string' }, to: { type: 'string' }, partition: { type: 'string' } } as const;

function parsed() {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    return textOf(error);
  }
}

/** Null for a command that is not known, or that lacks something. */
function commandOf({
  positionals,
  values,
}: Exclude<ReturnType<typeof parsed>, string>): (() => Promise<string[]>) | null {
  const [room, command, ...rest] = positionals;
  const { against, to, partition } = values;
  const clock = new SystemClock();
  const [first, second] = rest;
  if (room === 'config' && command === 'check' && first !== undefined && rest.length === 1 && to === undefined) {
    return () => checkConfig(first, against ?? null, clock);
  }
  if (room === 'offsets' && command === 'reset' && first && second && rest.length === 2 && to !== undefined) {
    const order = { topic: first, group: second, to, partition: partition ?? null, against: against ?? management };
    return () => resetOffsets(order, clock);
  }
  return null;
}

async function run(): Promise<number> {
  const args = parsed();
  if (typeof args === 'string') return told(`${args}\n${usage}`, exitUsage);
  const command = commandOf(args);
  if (command === null) return told(usage, exitUsage);
  try {
    const lines = await command();
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
