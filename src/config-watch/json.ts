// Reads a JSON file without ever repeating what may be a secret in it.
import { readFileSync } from 'node:fs';
import { textOf } from '../message/errors.js';
import { SettingsError } from './settings.js';

export type Json = Record<string, unknown>;

/** Throws SettingsError for a file that cannot be read or holds no JSON object. */
export function readJson(file: string): Json {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(file, [`cannot be read: ${textOf(error)}`]);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SettingsError(file, [`is not JSON: ${syntaxFault(textOf(error), text)}`]);
  }
  if (!isObject(value)) {
    throw new SettingsError(file, [`is not a JSON object but ${Array.isArray(value) ? 'a list' : shown(value)}`]);
  }
  return value;
}

/** V8 quotes the text around the fault, which may be a secret: keep what is wrong and say where instead. */
function syntaxFault(message: string, text: string): string {
  const quoted = /^(.*?), (?:\.\.\.)?"(.*)"(?:\.\.\.)? is not valid JSON$/s.exec(message);
  if (quoted === null) return message;
  const [, what, context] = quoted as unknown as [string, string, string];
  const line = text.slice(0, text.indexOf(context) + context.length / 2).split('\n').length;
  return `${what} near line ${line}`;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The list's objects; nothing at all unless every one of them is an object. */
export function entriesOf<T extends object>(list: unknown): readonly T[] {
  return Array.isArray(list) && list.every(isObject) ? (list as unknown as T[]) : [];
}

/** What was found, short enough for a line, and never a secret. */
export function shown(value: unknown, property = ''): string {
  if (value === undefined) return 'nothing';
  const hide = (key: string, member: unknown) => (key === 'secret' ? 'not shown' : member);
  if (property === 'secret') return 'a value that is not shown';
  const text = JSON.stringify(value, hide);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
