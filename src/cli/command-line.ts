// From the words of a command line to a command and what it was given.
import { parseArgs } from 'node:util';
import { textOf } from '../message/errors.js';
import { type Command, CommandError, type CommandOptions, type Given } from './command.js';
import { commonOptions } from './usage.js';

export interface Found {
  readonly command: Command;
  /** What stands behind its words. */
  readonly rest: readonly string[];
}

/** By its first words; null where there is none. */
export function commandIn(args: readonly string[], commands: readonly Command[]): Found | null {
  for (const command of commands) {
    const words = command.words.split(' ');
    if (words.every((word, at) => args[at] === word)) return { command, rest: args.slice(words.length) };
  }
  return null;
}

/** Throws CommandError. */
export function givenOf({ command, rest }: Found): Given {
  const options: CommandOptions = { ...command.options, ...commonOptions };
  const { positionals, values } = parsed(rest, options);
  const given = {
    places: {} as Record<string, string>,
    texts: {} as Record<string, string>,
    lists: {} as Record<string, readonly string[]>,
    switches: new Set<string>(),
  };
  for (const [name, value] of Object.entries(values)) {
    if (value === true) given.switches.add(name);
    else if (Array.isArray(value)) given.lists[name] = value.map(String);
    else given.texts[name] = String(value);
  }
  if (given.switches.has('help')) return given;
  for (const [at, place] of command.places.entries()) {
    const text = positionals[at];
    const name = place.replace(/\?$/, '');
    if (text !== undefined) given.places[name] = text;
    else if (name === place) throw new CommandError(`${name} is missing`);
  }
  const surplus = positionals[command.places.length];
  if (surplus !== undefined) throw new CommandError(`${JSON.stringify(surplus)} is too much`);
  return given;
}

function parsed(args: readonly string[], options: CommandOptions) {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value, many = false }]) => [
      name,
      { type: value === null ? ('boolean' as const) : ('string' as const), multiple: many },
    ]),
  );
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: config });
  } catch (error) {
    throw new CommandError(textOf(error));
  }
}
