// The settings in the file's own keys, with what its defaults and the environment add.
import { getMetadataStorage } from 'class-validator';
import { isObject, type Json } from './json.js';
import type { Mask } from './mask.js';

export class KeyValues {
  constructor(
    /** With the secrets in it: only for comparing. */
    readonly values: Json,
    readonly mask: Mask,
  ) {}

  masked(): Json {
    return this.mask.apply(this.values) as Json;
  }
}

type Class = new () => object;

/** One entry a class of the schema: collecting them is most of the work. */
const known = new Map<Class, readonly string[]>();

/** The keys that a section of the schema knows. */
export function keysOf(section: Class): readonly string[] {
  let keys = known.get(section);
  if (keys === undefined) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(section, '', false, false);
    keys = [...new Set(rules.map((rule) => rule.propertyName))];
    known.set(section, keys);
  }
  return keys;
}

/** The values that sections of the schema hold, as plain JSON, without keys that nobody reads. */
export function valuesOf(sections: readonly object[]): Json {
  return Object.assign({}, ...sections.map(plainOf)) as Json;
}

function plainOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainOf);
  if (!isObject(value)) return value;
  const own = value.constructor === Object ? [] : keysOf(value.constructor as Class);
  const keys = own.length > 0 ? own : Object.keys(value);
  return Object.fromEntries(keys.filter((key) => value[key] !== undefined).map((key) => [key, plainOf(value[key])]));
}
