// ${env:NAME} and ${file:/path} in the texts of a configuration: read anew at each load, never shown.
import { readFileSync, statSync } from 'node:fs';
import type { Faults } from './faults.js';
import { isObject, type Json } from './json.js';
import type { Mask } from './mask.js';

/** The environment's texts by name. */
export type Variables = Readonly<Record<string, unknown>>;

export interface ReferenceSources {
  readonly variables: Variables;
  /** Takes the path of every file that is referred to, whether it is there or not. */
  readonly referred: Set<string>;
}

/** A secret is a line, a key or a token; a certificate chain has some KiB. */
const maxFileBytes = 65_536;
const maxReferences = 1000;
/** With a second dollar sign in front it is the text itself. */
const reference = /\$(\$?)\{([A-Za-z]+):([^}]*)\}/g;

/** A copy of `raw` with every reference resolved; one that cannot be is a fault at its key path. */
export function resolveReferences(raw: Json, sources: ReferenceSources, mask: Mask, faults: Faults): Json {
  return new Resolver(sources, mask, faults).object(raw, '');
}

class Resolver {
  private count = 0;

  constructor(
    private readonly sources: ReferenceSources,
    private readonly mask: Mask,
    private readonly faults: Faults,
  ) {}

  object(raw: Json, path: string): Json {
    return Object.fromEntries(
      Object.entries(raw).map(([key, value]) => [key, this.value(value, path === '' ? key : `${path}.${key}`)]),
    );
  }

  private value(value: unknown, path: string): unknown {
    if (typeof value === 'string') return value.includes('${') ? this.text(value, path) : value;
    if (Array.isArray(value)) return value.map((item, i) => this.value(item, `${path}[${i}]`));
    return isObject(value) ? this.object(value, path) : value;
  }

  private text(text: string, path: string): string {
    let isReference = false;
    const resolved = text.replace(reference, (whole: string, doubled: string, kind: string, name: string) => {
      if (doubled !== '') return whole.slice(1);
      isReference = true;
      return this.resolve(whole, kind, name, path);
    });
    if (isReference) this.mask.add(resolved, text);
    return resolved;
  }

  /** A fault leaves the reference as it stands, so that the rules find no second fault in an empty text. */
  private resolve(whole: string, kind: string, name: string, path: string): string {
    this.count += 1;
    if (this.count > maxReferences) {
      if (this.count === maxReferences + 1)
        this.faults.push(`${path}: found reference number ${this.count}, allowed: at most ${maxReferences}`);
      return whole;
    }
    if (kind === 'env') {
      const value = this.sources.variables[name];
      if (typeof value === 'string' && value !== '') return value;
      this.faults.push(`${path}: found ${whole}, but the environment variable ${name} is not set`);
      return whole;
    }
    if (kind === 'file') return this.file(whole, name, path);
    this.faults.push(`${path}: found ${whole}, allowed: \${env:NAME} or \${file:/path}; $\${ for the text itself`);
    return whole;
  }

  private file(whole: string, name: string, path: string): string {
    this.sources.referred.add(name);
    try {
      const found = statSync(name);
      if (!found.isFile()) throw new Error('it is no file');
      if (found.size > maxFileBytes) throw new Error(`it has ${found.size} bytes, allowed: at most ${maxFileBytes}`);
      // Editors and echo end a file with a line feed that belongs to no secret.
      const text = readFileSync(name, 'utf8').replace(/\r?\n$/, '');
      if (text === '') throw new Error('it is empty');
      return text;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.faults.push(`${path}: found ${whole}, but ${name} cannot be read: ${code ?? message}`);
      return whole;
    }
  }
}
