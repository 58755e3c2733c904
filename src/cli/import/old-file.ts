// An older system's configuration file: its values by their keys, and what is wrong with them told with their place.
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'yaml';
import { textOf } from '../../message/errors.js';
import { CommandError } from '../command.js';

/** Larger files are no configuration of these. */
const maxBytes = 4 * 1_048_576;

export class OldFile {
  private constructor(
    readonly name: string,
    private readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /** YAML; JSON is YAML too. Throws CommandError. */
  static read(path: string): OldFile {
    if (!existsSync(path)) throw new CommandError(`${path} is not there`);
    try {
      const text = readFileSync(path, 'utf8');
      if (text.length > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
      return OldFile.of(basename(path), parse(text, { maxAliasCount: 0 }));
    } catch (error) {
      throw new CommandError(`${path} cannot be read: ${textOf(error)}`);
    }
  }

  private static of(name: string, value: unknown): OldFile {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no map of keys');
    return new OldFile(name, value as Record<string, unknown>);
  }

  has(key: string): boolean {
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  text(key: string): string {
    const value = this.values[key];
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw this.wrong(key, 'a text');
  }

  whole(key: string, absent?: number): number {
    const value = this.values[key] ?? absent;
    if (Number.isInteger(value)) return value as number;
    throw this.wrong(key, 'a whole number');
  }

  flag(key: string, absent: boolean): boolean {
    const value = this.values[key] ?? absent;
    if (typeof value === 'boolean') return value;
    throw this.wrong(key, 'true or false');
  }

  texts(key: string): string[] {
    const value = this.values[key];
    const isList = Array.isArray(value) && value.length > 0;
    if (isList && value.every((one) => ['string', 'number'].includes(typeof one))) return value.map(String);
    throw this.wrong(key, 'a list of texts');
  }

  /** A list of maps, as one. */
  pairs(key: string): Record<string, string> {
    const value = this.values[key] ?? [];
    if (!Array.isArray(value)) throw this.wrong(key, 'a list of single pairs');
    const pairs = value.flatMap((one) => Object.entries((one ?? {}) as object));
    return Object.fromEntries(pairs.map(([name, text]) => [name, String(text)]));
  }

  part(key: string): OldFile {
    const value = this.values[key];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(key, 'a map of keys');
    return new OldFile(`${this.name}: ${key}`, value as Record<string, unknown>);
  }

  /** Everything, as it stands. */
  get all(): Readonly<Record<string, unknown>> {
    return this.values;
  }

  private wrong(key: string, allowed: string): CommandError {
    const found = JSON.stringify(this.values[key]) ?? 'nothing';
    return new CommandError(`${this.name}: ${key}: found ${found.slice(0, 60)}, allowed: ${allowed}`);
  }
}

/** What came out of it: keys of ours, and what is not as it was. */
export interface Imported {
  readonly config: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

/** 0 to 16 as these programs count, 1 to 5 as bigpipe does. */
export function logLevelOf(file: OldFile): number {
  const level = file.whole('log_level', 4);
  return level >= 16 ? 5 : level >= 4 ? 4 : level >= 2 ? 3 : level >= 1 ? 2 : 1;
}

export const topicEntry = (name: string) => ({ name, partitions: 1 });

export const partitionsNote =
  'kafka.topics: partitions is 1 everywhere: write down how many the topics have in Kafka, it chooses the partition of a key';
