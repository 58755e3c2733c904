// As much of JSON Schema as /openapi.json uses: does a value fit, and values that do, for fuzzing.
import fc from 'fast-check';

export type Schema = Readonly<Record<string, unknown>>;

/** Follows $ref. */
export type Resolve = (schema: Schema) => Schema;

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
};

/** What does not fit, each with its place; throws at a keyword that it does not know. */
export function faultsOf(written: Schema, value: unknown, resolve: Resolve, at = '$'): string[] {
  const schema = resolve(written);
  const faults: string[] = [];
  const found = typeOf(value);
  for (const [keyword, rule] of Object.entries(schema)) {
    switch (keyword) {
      case 'type': {
        const types = [rule].flat() as string[];
        const fits = types.includes(found) || (found === 'integer' && types.includes('number'));
        if (!fits) faults.push(`${at}: ${found} is not ${types.join(' or ')}`);
        break;
      }
      case 'enum':
        if (!(rule as unknown[]).includes(value)) faults.push(`${at}: ${JSON.stringify(value)} is none of the values`);
        break;
      case 'const':
        if (value !== rule) faults.push(`${at}: ${JSON.stringify(value)} is not ${JSON.stringify(rule)}`);
        break;
      case 'pattern':
        if (found === 'string' && !new RegExp(rule as string, 'u').test(value as string)) faults.push(`${at}: pattern`);
        break;
      case 'minLength':
        if (found === 'string' && (value as string).length < (rule as number)) faults.push(`${at}: too short`);
        break;
      case 'maxLength':
        if (found === 'string' && (value as string).length > (rule as number)) faults.push(`${at}: too long`);
        break;
      case 'minimum':
        if ((value as number) < (rule as number)) faults.push(`${at}: too small`);
        break;
      case 'maximum':
        if ((value as number) > (rule as number)) faults.push(`${at}: too large`);
        break;
      case 'format':
        if (rule === 'date-time' && found === 'string' && Number.isNaN(Date.parse(value as string)))
          faults.push(`${at}: no date-time`);
        break;
      case 'items':
        if (found === 'array')
          (value as unknown[]).forEach((item, i) => {
            faults.push(...faultsOf(rule as Schema, item, resolve, `${at}[${i}]`));
          });
        break;
      case 'minItems':
        if (found === 'array' && (value as unknown[]).length < (rule as number)) faults.push(`${at}: too few`);
        break;
      case 'required':
        if (found === 'object')
          for (const name of rule as string[])
            if ((value as Record<string, unknown>)[name] === undefined) faults.push(`${at}.${name}: missing`);
        break;
      case 'anyOf':
        if (!(rule as Schema[]).some((one) => faultsOf(one, value, resolve, at).length === 0))
          faults.push(`${at}: fits none`);
        break;
      case 'properties':
      case 'additionalProperties':
        break;
      case 'description':
      case 'examples':
      case 'contentEncoding':
      case 'maxProperties':
        break;
      default:
        throw new Error(`the keyword ${keyword} at ${at} is not known here`);
    }
  }
  if (found === 'object') {
    const properties = (schema['properties'] ?? {}) as Record<string, Schema>;
    for (const [name, member] of Object.entries(value as object)) {
      const own = properties[name];
      if (own !== undefined) faults.push(...faultsOf(own, member, resolve, `${at}.${name}`));
      else if (schema['additionalProperties'] === false) faults.push(`${at}.${name}: not expected`);
    }
  }
  return faults;
}

/** Values that fit. */
export function fitting(written: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  const schema = resolve(written);
  if ('const' in schema) return fc.constant(schema['const']);
  if ('enum' in schema) return fc.constantFrom(...(schema['enum'] as unknown[]));
  const types = [schema['type'] ?? []].flat() as string[];
  if ('anyOf' in schema && types.length === 0)
    return fc.oneof(...(schema['anyOf'] as Schema[]).map((one) => fitting(one, resolve)));
  if (types.length > 1) return fc.oneof(...types.map((type) => fitting({ ...schema, type }, resolve)));
  switch (types[0]) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({
        min: (schema['minimum'] as number) ?? -1000,
        max: (schema['maximum'] as number) ?? 1_000_000,
      });
    case 'array':
      return fc.array(fitting((schema['items'] as Schema) ?? {}, resolve), { maxLength: 3 });
    case 'object':
      return objectsOf(schema, resolve);
    case 'string':
      return textsOf(schema);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function objectsOf(schema: Schema, resolve: Resolve): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>);
  const always = (schema['required'] ?? []) as string[];
  const record = (requiredKeys: string[]) =>
    fc.record(Object.fromEntries(properties.map(([name, one]) => [name, fitting(one, resolve)])), { requiredKeys });
  if (properties.length === 0)
    return fc.dictionary(fc.stringMatching(/^x-[a-z]{1,8}$/), fc.stringMatching(/^[a-z]{0,8}$/), { maxKeys: 3 });
  const choices = (schema['anyOf'] as { required?: string[] }[] | undefined) ?? [{}];
  return fc.oneof(...choices.map(({ required = [] }) => record([...always, ...required])));
}

function textsOf(schema: Schema): fc.Arbitrary<string> {
  const minLength = (schema['minLength'] as number) ?? 0;
  if (schema['format'] === 'date-time')
    return fc
      .date({ min: new Date('2020-01-01'), max: new Date('2027-06-01'), noInvalidDate: true })
      .map((date) => date.toISOString());
  if (schema['format'] === 'uri') return fc.webUrl({ validSchemes: ['http', 'https'], withQueryParameters: true });
  if (schema['pattern'] !== undefined) return fc.stringMatching(new RegExp(schema['pattern'] as string));
  return fc.string({ unit: 'grapheme', minLength, maxLength: 60 });
}
