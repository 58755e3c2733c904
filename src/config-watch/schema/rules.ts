// The few rules that the schema is written in: each says in one sentence what is allowed.
import { isIP } from 'node:net';
import { ValidateBy, ValidateIf } from 'class-validator';
import { callUrlForms, parseCallUrl } from '../../message/call-url.js';
import { allowanceOf } from '../../message/egress-rules.js';
import { isHeldBack } from '../../message/held-back.js';
import { isMessageType, messageTypeAllowed } from '../../message/message-type.js';
import { UriTemplate, uriVariables } from '../../message/request-shape.js';
import { eventFilterAllowed, eventFiltersOf } from '../event-filter.js';
import { isObject } from '../json.js';
import { originOf } from '../origin.js';
import { originPatternAllowed, originPatternOf } from '../origin-pattern.js';
import { portRangeOf } from '../port-range.js';
import { secretAllowed, secretFormOf } from '../secret-form.js';
import { signingSecretAllowed, signingSecretOf } from '../signing-secret.js';
import { startOf } from '../start-at.js';
import { statusesOf } from '../status-list.js';

/** The rule once more as JSON Schema has it, for editors; what it cannot say there, the sentence says. */
type Schema = Readonly<Record<string, unknown>>;

function rule(allowed: string, schema: Schema, holds: (value: unknown) => boolean): PropertyDecorator {
  const validator = { validate: holds, defaultMessage: () => allowed };
  return ValidateBy({ name: 'allowed', validator }, { context: { allowed, schema } });
}

const integer = (minimum: number, maximum: number): Schema => ({ type: 'integer', minimum, maximum });
const text: Schema = { type: 'string', minLength: 1 };
/** What the text becomes is checked when it is read. */
const reference: Schema = { type: 'string', pattern: '\\$\\{(env|file):' };

/** The key may be absent; null is not absent. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_section, value) => value !== undefined);
}

/** The key must be there unless the other one is. */
export function UnlessThereIs(other: string): PropertyDecorator {
  return ValidateIf((section: Schema, value) => value !== undefined || section[other] === undefined);
}

/** A whole number within the bounds, both included. */
export function Whole(min: number, max: number, unit = ''): PropertyDecorator {
  const what = unit === '' ? 'a whole number' : `a whole number of ${unit}`;
  return rule(
    `${what} from ${min} to ${max}`,
    integer(min, max),
    (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  );
}

/** A whole number within the bounds, or 0 for "not at all". */
export function WholeOrZero(min: number, max: number, unit: string): PropertyDecorator {
  return rule(
    `0, or a whole number of ${unit} from ${min} to ${max}`,
    { anyOf: [{ const: 0 }, integer(min, max)] },
    (value) => value === 0 || (Number.isInteger(value) && (value as number) >= min && (value as number) <= max),
  );
}

/** A whole number within the bounds, or "auto". */
export function WholeOrAuto(min: number, max: number): PropertyDecorator {
  return rule(
    `a whole number from ${min} to ${max}, or "auto"`,
    { anyOf: [integer(min, max), { const: 'auto' }] },
    (value) => value === 'auto' || (Number.isInteger(value) && (value as number) >= min && (value as number) <= max),
  );
}

/** Any number above `above`, up to and including `max`; fractions are fine. */
export function Positive(max: number, above = 0): PropertyDecorator {
  return rule(
    `a number above ${above}, at most ${max}`,
    { type: 'number', exclusiveMinimum: above, maximum: max },
    (value) => typeof value === 'number' && value > above && value <= max,
  );
}

/** From 0 to 1, both included. */
export function Share(): PropertyDecorator {
  return rule(
    'a number from 0 to 1',
    { type: 'number', minimum: 0, maximum: 1 },
    (value) => typeof value === 'number' && value >= 0 && value <= 1,
  );
}

export function Text(pattern: RegExp, allowed: string): PropertyDecorator {
  const schema = { anyOf: [{ type: 'string', pattern: pattern.source }, reference] };
  return rule(allowed, schema, (value) => typeof value === 'string' && pattern.test(value));
}

export function TextOrFalse(pattern: RegExp, allowed: string): PropertyDecorator {
  const schema = { anyOf: [{ const: false }, { type: 'string', pattern: pattern.source }, reference] };
  return rule(
    `false, or ${allowed}`,
    schema,
    (value) => value === false || (typeof value === 'string' && pattern.test(value)),
  );
}

/** What a caller may name as a URL, too. */
export function CallTarget(): PropertyDecorator {
  return rule(
    callUrlForms,
    { type: 'string', minLength: 1 },
    (value) => typeof value === 'string' && parseCallUrl(value) !== null,
  );
}

export const maxCallTargets = 10;

/** Several, over HTTP. */
export function CallTargets(): PropertyDecorator {
  return rule(
    `a list of 1 to ${maxCallTargets} absolute http or https URLs without credentials, each at most 8 KiB`,
    { type: 'array', items: text, minItems: 1, maxItems: maxCallTargets },
    (value) =>
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= maxCallTargets &&
      value.every((item) => typeof item === 'string' && /^https?:/i.test(item) && parseCallUrl(item) !== null),
  );
}

export function AnyText(): PropertyDecorator {
  return rule('a text that is not empty', text, (value) => typeof value === 'string' && value !== '');
}

export function OneOf(values: readonly (string | number)[]): PropertyDecorator {
  return rule(`one of ${values.map((v) => JSON.stringify(v)).join(', ')}`, { enum: values }, (value) =>
    values.includes(value as string | number),
  );
}

export function Flag(): PropertyDecorator {
  return rule('true or false', { type: 'boolean' }, (value) => typeof value === 'boolean');
}

export function TextList(): PropertyDecorator {
  return rule(
    'a list of texts',
    { type: 'array', items: text },
    (value) => Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== ''),
  );
}

/** A fixed number, "auto", or the bounds within which the limit adapts. */
export function Concurrency(): PropertyDecorator {
  const inBounds = (value: unknown) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 10_000;
  const isRange = (value: unknown) =>
    isObject(value) &&
    Object.keys(value).every((key) => key === 'min' || key === 'max') &&
    inBounds(value['min']) &&
    inBounds(value['max']) &&
    (value['min'] as number) < (value['max'] as number);
  const bound = integer(1, 10_000);
  const range = { type: 'object', properties: { min: bound, max: bound }, required: ['min', 'max'] };
  return rule(
    'a whole number from 1 to 10000, "auto", or {"min", "max"} of such numbers, min below max',
    { anyOf: [bound, { const: 'auto' }, { ...range, additionalProperties: false }] },
    (value) => value === 'auto' || inBounds(value) || isRange(value),
  );
}

/** Statuses one by one, by their first digit ("5xx"), or from one to another ("500-599"). */
export function Statuses(): PropertyDecorator {
  return rule(
    'a list of statuses from 200 to 599, each a number, a class like "5xx", or a range like "500-504"',
    {
      type: 'array',
      items: { anyOf: [integer(200, 599), { type: 'string', pattern: '^([2-5][xX]{2}|\\d{3}-\\d{3})$' }] },
    },
    (value) => Array.isArray(value) && statusesOf(value) !== null,
  );
}

/** Waits one by one, or an object; what is in that is checked by its own class. */
export function WaitsOrObject(word: string): PropertyDecorator {
  const isWait = (wait: unknown) => Number.isInteger(wait) && (wait as number) >= 1 && (wait as number) <= dayMs;
  return rule(
    `an object, "${word}", or a list of 1 to 100 waits in whole milliseconds from 1 to ${dayMs}`,
    {
      anyOf: [
        { type: 'object' },
        { const: word },
        { type: 'array', items: integer(1, dayMs), minItems: 1, maxItems: 100 },
      ],
    },
    (value) =>
      value === word ||
      isObject(value) ||
      (Array.isArray(value) && value.length >= 1 && value.length <= 100 && value.every(isWait)),
  );
}

/** Origins as URLs have them: scheme, host and port, nothing behind. */
export function Origins(): PropertyDecorator {
  return rule(
    'a list of at least one origin like "http://host:8080"',
    { type: 'array', items: text, minItems: 1 },
    (value) => Array.isArray(value) && value.length > 0 && value.every((item) => originOf(item) !== null),
  );
}

/** A caller's secret, as it is or hashed. */
export function Secret(): PropertyDecorator {
  return rule(secretAllowed, text, (value) => secretFormOf(value) !== null);
}

const maxSecrets = 10;

export function SecretList(): PropertyDecorator {
  return rule(
    `a list of 1 to ${maxSecrets}, each ${secretAllowed}`,
    { type: 'array', items: text, minItems: 1, maxItems: maxSecrets },
    (value) =>
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= maxSecrets &&
      value.every((item) => secretFormOf(item)),
  );
}

export function SigningSecrets(): PropertyDecorator {
  return rule(
    `a list of 1 to ${maxSecrets}, each ${signingSecretAllowed}`,
    { type: 'array', items: text, minItems: 1, maxItems: maxSecrets },
    (value) =>
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= maxSecrets &&
      value.every((item) => signingSecretOf(item) !== null),
  );
}

/** Where a caller's calls may go. */
export function OriginPatterns(): PropertyDecorator {
  return rule(
    `a list of origins ${originPatternAllowed}`,
    { type: 'array', items: text },
    (value) => Array.isArray(value) && value.every((item) => originPatternOf(item) !== null),
  );
}

/** Whom calls may go to. */
export function Allowances(): PropertyDecorator {
  return rule(
    'a list of addresses ("10.1.2.3", "::1"), ranges ("10.0.0.0/8") and names ("hooks.internal", "*.internal")',
    { type: 'array', items: text },
    (value) => Array.isArray(value) && value.every((item) => allowanceOf(item) !== null),
  );
}

export function Ports(): PropertyDecorator {
  return rule(
    'a list of ports from 1 to 65535, each a number or a range like "8000-8999"',
    { type: 'array', items: { anyOf: [integer(1, 65_535), { type: 'string', pattern: '^\\d{1,5}(-\\d{1,5})?$' }] } },
    (value) => Array.isArray(value) && value.every((item) => portRangeOf(item) !== null),
  );
}

export function SomeOrNone(values: readonly string[]): PropertyDecorator {
  return rule(
    `a list of ${values.map((v) => JSON.stringify(v)).join(', ')}, or of some of them`,
    { type: 'array', items: { enum: values } },
    (value) => Array.isArray(value) && value.every((item) => values.includes(item as string)),
  );
}

export function SomeOf(values: readonly string[]): PropertyDecorator {
  return rule(
    `a list of at least one of ${values.map((v) => JSON.stringify(v)).join(', ')}`,
    { type: 'array', items: { enum: values }, minItems: 1 },
    (value) => Array.isArray(value) && value.length > 0 && value.every((item) => values.includes(item as string)),
  );
}

export function DnsServers(): PropertyDecorator {
  return rule(
    'a list of at least one address like "10.0.0.2", "10.0.0.2:53" or "[::1]:53"',
    { type: 'array', items: text, minItems: 1 },
    (value) => Array.isArray(value) && value.length > 0 && value.every(isDnsServer),
  );
}

function isDnsServer(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(value) ?? [];
  const address = bracketed ?? plain ?? value;
  return isIP(address) !== 0 && (port === undefined || portRangeOf(port) !== null);
}

/** What a publisher may name as a type, or a pattern over such. */
export function MessageType(): PropertyDecorator {
  const schema = { type: 'string', minLength: 1, maxLength: 256 };
  return rule(messageTypeAllowed, schema, isMessageType);
}

/** From where on a new group reads. */
export function Start(): PropertyDecorator {
  return rule(
    '"earliest", "latest", an offset, or a time like "2026-11-21T14:00:00Z"',
    { anyOf: [text, integer(0, Number.MAX_SAFE_INTEGER)] },
    (value) => startOf(value) !== null,
  );
}

/** What CloudEvents subscriptions filter by. */
export function EventFilters(): PropertyDecorator {
  return rule(
    eventFilterAllowed,
    { type: 'array', items: { type: 'object', minProperties: 1, maxProperties: 1 } },
    (value) => eventFiltersOf(value) !== null,
  );
}

/** A path and query with variables of the message. */
export function UriTemplateText(): PropertyDecorator {
  return rule(
    `a path from the root on, of visible ASCII, in which {#${uriVariables.join('}, {#')}} stand for what the message says`,
    { type: 'string', pattern: '^/' },
    (value) => typeof value === 'string' && UriTemplate.faultOf(value) === null,
  );
}

const maxHeaders = 50;

/** Headers that a subscription adds by itself: not those of one connection, nor what bigpipe says. */
export function HeaderTexts(): PropertyDecorator {
  const allowed = `an object of at most ${maxHeaders} texts by header names; not content-length, idempotency-key, those of a connection, or bigpipe-*`;
  return rule(
    allowed,
    { type: 'object', additionalProperties: { type: 'string' }, maxProperties: maxHeaders },
    (value) => {
      if (!isObject(value)) return false;
      const entries = Object.entries(value as object);
      const names = new Set(entries.map(([name]) => name.toLowerCase()));
      return entries.length <= maxHeaders && names.size === entries.length && entries.every(isOwnHeader);
    },
  );
}

const ownToo: ReadonlySet<string> = new Set(['authorization', 'content-type', 'cookie', 'host', 'user-agent']);

function isOwnHeader([name, value]: [string, unknown]): boolean {
  const lower = name.toLowerCase();
  const isName = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/.test(lower) && (ownToo.has(lower) || !isHeldBack(lower));
  return isName && typeof value === 'string' && /^[\x20-\x7e]{0,4096}$/.test(value);
}

export function MethodNames(): PropertyDecorator {
  return rule(
    '1 to 1000 texts of 1 to 256 characters',
    { type: 'array', minItems: 1, maxItems: 1000, items: { type: 'string', minLength: 1, maxLength: 256 } },
    (value) =>
      Array.isArray(value) &&
      value.length >= 1 &&
      value.length <= 1000 &&
      value.every((one) => typeof one === 'string' && one.length >= 1 && one.length <= 256),
  );
}

/** A list of JSON objects; what is in them is checked by their own class. */
export function ObjectList(atLeast: number, atMost = Number.POSITIVE_INFINITY): PropertyDecorator {
  const bound = atMost === Number.POSITIVE_INFINITY ? '' : `, at most ${atMost}`;
  const allowed = atLeast === 0 ? 'a list of objects' : `a list of at least ${atLeast} object`;
  return rule(
    allowed + bound,
    { type: 'array', minItems: atLeast, ...(bound === '' ? {} : { maxItems: atMost }) },
    (value) => Array.isArray(value) && value.length >= atLeast && value.length <= atMost && value.every(isObject),
  );
}

export function ObjectValue(): PropertyDecorator {
  return rule('an object', { type: 'object' }, isObject);
}

/** Topic and group names end up in topic names on disk and in Kafka, whose alphabet this is. */
export const namePattern = /^[A-Za-z0-9._-]{1,100}$/;
export const nameAllowed = '1 to 100 of A-Z a-z 0-9 . _ -';

/** A day in milliseconds, the longest wait that any setting may ask for. */
export const dayMs = 86_400_000;
