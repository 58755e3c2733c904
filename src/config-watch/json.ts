// Reads a JSON file without ever repeating what may be a secret in it.
import { readFileSync, statSync } from 'node:fs';
import { textOf } from '../message/errors.js';
import { Mask } from './mask.js';
import { SettingsError } from './settings.js';

export type Json = Record<string, unknown>;

/** A configuration of a thousand consumers has 300 KiB. */
const maxFileBytes = 16_777_216;
/** The deepest key of the schema stands at 5. */
const maxDepth = 32;

/** Throws SettingsError for a file that cannot be read or holds no JSON object. */
export function readJson(file: string): Json {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > maxFileBytes) throw new Error(`it has ${size} bytes, allowed: at most ${maxFileBytes}`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SettingsError(file, [`cannot be read: ${textOf(error)}`]);
  }
  return parseJson(file, text);
}

/** Throws SettingsError that names `source` for a text that holds no JSON object. */
export function parseJson(source: string, text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new SettingsError(source, [`is not JSON: ${syntaxFault(textOf(error), text)}`]);
  }
  if (!isObject(value)) {
    throw new SettingsError(source, [
      `is not a JSON object but ${Array.isArray(value) ? 'a list' : new Mask().shown(value)}`,
    ]);
  }
  if (isDeeper(value, maxDepth)) {
    throw new SettingsError(source, [`is nested too deeply, allowed: ${maxDepth} levels`]);
  }
  return value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
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
