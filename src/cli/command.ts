// What a command is: its words, what it takes, and how it is run.

import type { Environment } from '../config-watch/env.js';
import type { Clock } from '../message/clock.js';

/** One dash-dash option; `value` is the placeholder of what it takes, null for a switch. */
export interface CommandOption {
  readonly value: string | null;
  readonly about: string;
  /** May be given several times. */
  readonly many?: true;
}

export type CommandOptions = Readonly<Record<string, CommandOption>>;

/** What stood on the command line, checked against the command's own words. */
export interface Given {
  /** By the names of the command's places; absent ones that may be. */
  readonly places: Readonly<Record<string, string>>;
  readonly texts: Readonly<Record<string, string>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly switches: ReadonlySet<string>;
}

/** Where a command runs. */
export interface Surroundings {
  readonly clock: Clock;
  readonly environment: Environment;
  /** True: what is printed is JSON, for programs. */
  readonly isJson: boolean;
  /** To stdout. */
  readonly print: (line: string) => void;
  /** A line to stderr. */
  readonly warn: (line: string) => void;
  /** To stderr, in place of what was shown before; nothing where nobody looks. */
  readonly show: (line: string) => void;
  /** Aborts on SIGINT and SIGTERM. */
  readonly stop: AbortSignal;
}

export interface Command {
  /** As they are typed: "dlq redrive". */
  readonly words: string;
  /** In capitals; those that end in "?" may be left out, the last one may end in "...". */
  readonly places: readonly string[];
  readonly about: string;
  readonly options: CommandOptions;
  /** Resolves to the exit code. Rejects with a CommandError, a SettingsError, or what could not be asked. */
  run(given: Given, around: Surroundings): Promise<number>;
}

/** sysexits.h: EX_CONFIG, and EX_USAGE for a wrong command line. */
export const exitConfig = 78;
export const exitUsage = 64;

/** A command line that cannot be carried out as it is written. */
export class CommandError extends Error {}

/** A whole number of an option or a place; undefined where it is absent. */
export function wholeOf(name: string, text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= min && number <= max) return number;
  throw new CommandError(`${name}: found ${JSON.stringify(text)}, allowed: a whole number from ${min} to ${max}`);
}

/** A number above `above`, up to `max`; undefined where it is absent. */
export function numberOf(name: string, text: string | undefined, above: number, max: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text) && number > above && number <= max) return number;
  throw new CommandError(`${name}: found ${JSON.stringify(text)}, allowed: a number above ${above}, at most ${max}`);
}
