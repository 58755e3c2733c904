// The few rules that the schema is written in: each says in one sentence what is allowed.
import { ValidateBy, ValidateIf } from 'class-validator';
import { isObject } from '../json.js';

function rule(allowed: string, holds: (value: unknown) => boolean): PropertyDecorator {
  return ValidateBy({ name: 'allowed', validator: { validate: holds, defaultMessage: () => allowed } });
}

/** The key may be absent; null is not absent. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_section, value) => value !== undefined);
}

/** A whole number within the bounds, both included. */
export function Whole(min: number, max: number, unit = ''): PropertyDecorator {
  const what = unit === '' ? 'a whole number' : `a whole number of ${unit}`;
  return rule(
    `${what} from ${min} to ${max}`,
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** A whole number within the bounds, or 0 for "not at all". */
export function WholeOrZero(min: number, max: number, unit: string): PropertyDecorator {
  return rule(
    `0, or a whole number of ${unit} from ${min} to ${max}`,
    (value) => value === 0 || (Number.isInteger(value) && (value as number) >= min && (value as number) <= max),
  );
}

/** Any number above `above`, up to and including `max`; fractions are fine. */
export function Positive(max: number, above = 0): PropertyDecorator {
  return rule(
    `a number above ${above}, at most ${max}`,
    (value) => typeof value === 'number' && value > above && value <= max,
  );
}

export function Text(pattern: RegExp, allowed: string): PropertyDecorator {
  return rule(allowed, (value) => typeof value === 'string' && pattern.test(value));
}

export function AnyText(): PropertyDecorator {
  return rule('a text that is not empty', (value) => typeof value === 'string' && value !== '');
}

export function OneOf(values: readonly (string | number)[]): PropertyDecorator {
  return rule(`one of ${values.map((v) => JSON.stringify(v)).join(', ')}`, (value) =>
    values.includes(value as string | number),
  );
}

export function Flag(): PropertyDecorator {
  return rule('true or false', (value) => typeof value === 'boolean');
}

export function TextList(): PropertyDecorator {
  return rule(
    'a list of texts',
    (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''),
  );
}

/** A list of JSON objects; what is in them is checked by their own class. */
export function ObjectList(atLeast: number): PropertyDecorator {
  const allowed = atLeast === 0 ? 'a list of objects' : `a list of at least ${atLeast} object`;
  return rule(allowed, (value) => Array.isArray(value) && value.length >= atLeast && value.every(isObject));
}

export function ObjectValue(): PropertyDecorator {
  return rule('an object', isObject);
}

/** Topic and group names end up in topic names on disk and in Kafka, whose alphabet this is. */
export const namePattern = /^[A-Za-z0-9._-]{1,100}$/;
export const nameAllowed = '1 to 100 of A-Z a-z 0-9 . _ -';

/** A day in milliseconds, the longest wait that any setting may ask for. */
export const dayMs = 86_400_000;
