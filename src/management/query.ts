// Numbers and words from a query or a JSON body, each refusal with its name, what was found and what is allowed.
import { BadRequestException } from '@nestjs/common';

type Fields = Readonly<Record<string, unknown>>;

/** Undefined when it is absent. */
export function optionalWhole(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  if (Number.isInteger(number) && (number as number) >= min && (number as number) <= max) return number as number;
  throw new BadRequestException(`${name}: found ${shown(value)}, allowed: a whole number from ${min} to ${max}`);
}

/** Undefined when it is absent; above `above`, up to and including `max`. */
export function optionalNumber(fields: Fields, name: string, above: number, max: number): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value > above && value <= max) return value;
  throw new BadRequestException(`${name}: found ${shown(value)}, allowed: a number above ${above}, at most ${max}`);
}

/** Undefined when it is absent. */
export function oneOf(fields: Fields, name: string, allowed: readonly string[]): string | undefined {
  const value = fields[name];
  if (value === undefined || (typeof value === 'string' && allowed.includes(value))) return value as string | undefined;
  throw new BadRequestException(`${name}: found ${shown(value)}, allowed: ${allowed.join(', ')}`);
}

/** False when it is absent; the bare name is true. */
export function flag(fields: Fields, name: string): boolean {
  const value = oneOf(fields, name, ['true', 'false', '']);
  return value === 'true' || value === '';
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
