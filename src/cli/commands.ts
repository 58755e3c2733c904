// All commands, in the order in which the help lists them.
import { bench } from './bench.js';
import type { Command } from './command.js';
import { configCheck } from './config-check.js';
import { configImport } from './config-import.js';
import { deadLettersList, deadLettersRedrive, deadLettersShow } from './dead-letters.js';
import { explain } from './explain.js';
import { lag } from './lag.js';
import { migrate } from './migrate.js';
import { offsetsReset } from './offsets-reset.js';
import { pause, resume } from './pausing.js';
import { send } from './send.js';
import { start } from './start.js';
import { tail } from './tail.js';

export const commands: readonly Command[] = [
  start,
  send,
  tail,
  explain,
  lag,
  deadLettersList,
  deadLettersShow,
  deadLettersRedrive,
  pause,
  resume,
  offsetsReset,
  configCheck,
  configImport,
  migrate,
  bench,
];
