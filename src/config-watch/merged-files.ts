// Several files as one: objects deeply, lists of named entries by their names; what two files say differently is a fault.
import { basename } from 'node:path';
import { isObject, type Json } from './json.js';
import { identityOf } from './list-identity.js';
import { Mask } from './mask.js';

/** The entry of one of the named lists that a key path goes through. */
const entryPath = /^(kafka\.(?:topics|producer\.acl|consumer\.list))\[(\d+)\]/;

export class MergedFiles {
  readonly faults: string[] = [];
  raw: Json = {};
  /** Key path to the file that set it; what is below it is that file's too, unless it has an entry of its own. */
  private readonly setBy = new Map<string, string>();
  private file = '';

  /** `several`: faults name the file. */
  constructor(private readonly several: boolean) {}

  add(file: string, raw: Json): void {
    this.file = basename(file);
    // Each file has its own way to the schema, and its own words.
    const { $schema: _, $comment: __, ...keys } = raw;
    this.raw = this.object(this.raw, keys, '');
  }

  /** The fault with the file that it is in, and with the entry's name, since the index counts through all files. */
  located(fault: string): string {
    const path = fault.slice(0, fault.indexOf(': '));
    const file = this.several ? this.fileOf(path) : null;
    if (file === null) return fault;
    const [, list = '', index = ''] = entryPath.exec(path) ?? [];
    const entries = this.raw[list];
    const entry: unknown = Array.isArray(entries) ? entries[Number(index)] : undefined;
    const name = isObject(entry) ? identityOf(list)?.of(entry) : null;
    return typeof name === 'string'
      ? `${fault} (${identityOf(list)?.what} ${name}, in ${file})`
      : `${fault} (in ${file})`;
  }

  private fileOf(path: string): string | null {
    for (let at = path; at !== ''; at = at.replace(/(^|\.)[^.[\]]*$|\[\d+\]$/, '')) {
      const file = this.setBy.get(at);
      if (file !== undefined) return file;
    }
    return null;
  }

  private object(current: Json, next: Json, path: string): Json {
    const members = new Map(Object.entries(current));
    for (const [key, value] of Object.entries(next)) {
      members.set(key, this.value(members.get(key), value, path === '' ? key : `${path}.${key}`, key));
    }
    return Object.fromEntries(members);
  }

  private value(current: unknown, next: unknown, path: string, key: string): unknown {
    if (current === undefined) {
      this.setBy.set(path, this.file);
      return next;
    }
    if (isObject(current) && isObject(next)) return this.object(current, next, path);
    const identity = identityOf(key);
    if (identity !== undefined && Array.isArray(current) && Array.isArray(next)) {
      return this.list(current, next, path, (entry) => (isObject(entry) ? identity.of(entry) : null));
    }
    if (JSON.stringify(current) === JSON.stringify(next)) return current;
    const mask = new Mask();
    this.faults.push(
      `${path}: found ${mask.shown(current, key)} in ${this.fileOf(path)} and ${mask.shown(next, key)} in ${this.file}, allowed: one value`,
    );
    return current;
  }

  /** An entry that stands twice in one file stays twice, to be told as that file's fault. */
  private list(
    current: unknown[],
    next: unknown[],
    path: string,
    nameOf: (entry: unknown) => string | null,
  ): unknown[] {
    const merged = [...current];
    const free = new Map(current.map((entry, i) => [nameOf(entry), i]));
    for (const entry of next) {
      const name = nameOf(entry);
      const at = name === null ? undefined : free.get(name);
      if (at === undefined) {
        this.setBy.set(`${path}[${merged.length}]`, this.file);
        merged.push(entry);
        continue;
      }
      free.delete(name);
      merged[at] = this.object(merged[at] as Json, entry as Json, `${path}[${at}]`);
    }
    return merged;
  }
}
