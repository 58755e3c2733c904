// The files behind the configured path: one file, or all of a directory in the order of their names.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from './json.js';
import { readJson } from './json.js';
import { MergedFiles } from './merged-files.js';
import { SettingsError } from './settings.js';

export const maxFiles = 256;

/** A directory's `*.json` files without hidden ones, sorted by name; else the path itself, also where nothing is. */
export function sourceFiles(path: string): string[] {
  let names: string[];
  try {
    if (!statSync(path).isDirectory()) return [path];
    names = readdirSync(path);
  } catch {
    return [path];
  }
  return names
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .sort()
    .map((name) => join(path, name));
}

/** Throws SettingsError: every file that cannot be read or parsed, or every key that two of them set differently. */
export function readConfig(path: string): MergedFiles {
  const files = sourceFiles(path);
  if (files.length === 0) throw new SettingsError(path, ['cannot be read: it is a directory without a *.json file']);
  if (files.length > maxFiles) {
    throw new SettingsError(path, [`has ${files.length} *.json files, allowed: at most ${maxFiles}`]);
  }
  const isDirectory = files[0] !== path;
  const merged = new MergedFiles(isDirectory);
  const faults: string[] = [];
  for (const file of files) {
    try {
      merged.add(file, readJson(file));
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error;
      faults.push(...(isDirectory ? error.faults.map((fault) => `${file} ${fault}`) : error.faults));
    }
  }
  faults.push(...merged.faults);
  if (faults.length > 0) throw new SettingsError(path, faults);
  return merged;
}

/** One text in place of the files. */
export function oneText(raw: Json): MergedFiles {
  const merged = new MergedFiles(false);
  merged.add('', raw);
  return merged;
}
