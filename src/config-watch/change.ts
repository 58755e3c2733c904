// What would be different under other settings, in a line each; pure.
import { isObject, type Json } from './json.js';
import type { KeyValues } from './key-values.js';
import { identityOf } from './list-identity.js';
import { isSecretKey, type Mask } from './mask.js';

/** "consumer G1 of T.rateLimit 100 -> 50", "topic X removed": nothing twice, no secret, in the order of the keys. */
export function describeChange(current: KeyValues, next: KeyValues): string[] {
  const lines: string[] = [];
  const difference = new Difference(current.mask, next.mask, lines);
  difference.objects(current.values, next.values, '');
  return lines;
}

class Difference {
  constructor(
    private readonly currentMask: Mask,
    private readonly nextMask: Mask,
    private readonly lines: string[],
  ) {}

  objects(current: Json, next: Json, name: string): void {
    for (const key of new Set([...Object.keys(current), ...Object.keys(next)])) {
      this.values(current[key], next[key], name === '' ? key : `${name}.${key}`, key, name);
    }
  }

  private values(current: unknown, next: unknown, name: string, key: string, owner: string): void {
    if (isSame(current, next)) return;
    const identity = identityOf(key);
    if (identity !== undefined && (Array.isArray(current) || Array.isArray(next))) {
      const prefix = owner === '' ? `${identity.what} ` : `${owner}.${identity.what} `;
      this.lists(current, next, prefix, (entry) => identity.of(entry));
      return;
    }
    if (isObject(current) && isObject(next)) {
      this.objects(current, next, name);
      return;
    }
    const [before, after] = [this.currentMask.shown(current, key), this.nextMask.shown(next, key)];
    // Two secrets look alike, and a reference may have come to mean something else.
    const isHidden = isSecretKey(key) || before === after;
    this.lines.push(isHidden ? `${name} changed` : `${name} ${before} -> ${after}`);
  }

  private lists(current: unknown, next: unknown, prefix: string, nameOf: (entry: Json) => string | null): void {
    const [before, after] = [byName(current, nameOf), byName(next, nameOf)];
    for (const [name, entry] of before) {
      const changed = after.get(name);
      const shown = this.currentMask.apply(name) as string;
      if (changed === undefined) this.lines.push(`${prefix}${shown} removed`);
      else this.objects(entry, changed, `${prefix}${shown}`);
    }
    for (const name of after.keys()) {
      if (!before.has(name)) this.lines.push(`${prefix}${this.nextMask.apply(name) as string} added`);
    }
  }
}

function byName(list: unknown, nameOf: (entry: Json) => string | null): Map<string, Json> {
  const entries = Array.isArray(list) ? list.filter(isObject) : [];
  return new Map(entries.map((entry) => [nameOf(entry) ?? '', entry]));
}

/** Whatever order the keys are written in. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
  if (!isObject(a) || !isObject(b)) return a === b;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && isSame(a[key], b[key]));
}
