// The original's form of a message on Kafka: one JSON object as the value, and its own choice of a partition.
import { type Message, type MessageHeaders, messageHeader } from '../../../message/message.js';

/** What the original's decoder asks for; extra members are ignored. */
interface GoMessage {
  readonly Headers: Readonly<Record<string, readonly string[]>>;
  readonly Url: string;
  readonly Data: string;
  readonly Topic: string;
  readonly Partition: number;
  readonly CreateTime: number;
}

const brace = 0x7b;

/** What only bigpipe knows travels beside the value, where the original does not look; the first says that it is so. */
const formHeader = 'bigpipe-form';
const formGo = 'go';
/** A header whose bytes are no text, but the message's key. */
export const keyHeader = 'bigpipe-key';

/** The original's hash over code points, h = (h * 33 + c) mod partitions. With 3, 11 or 33 partitions only the last one counts. */
export function goPartition(key: string, partitions: number): number {
  let hash = 0;
  for (const character of key) hash = (hash * 33 + (character.codePointAt(0) as number)) % partitions;
  return hash;
}

/** Go's canonical form of a header's name: every part between dashes begins with a capital. */
const canonical = (name: string) =>
  name.replace(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase());

const escapes: Readonly<Record<string, string>> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** JSON as Go 1.8 writes it: HTML's characters escaped, and no short form of backspace and form feed. */
const goJson = (value: unknown) =>
  JSON.stringify(value)
    .replace(/[<>&\u2028\u2029]/g, (character) => escapes[character] as string)
    .replace(
      /(?<!\\)((?:\\\\)*)\\([bf])/g,
      (_all, before: string, letter: string) => `${before}\\u00${letter === 'b' ? '08' : '0c'}`,
    );

/** The value for a message; `body` is text there: what is no UTF-8 becomes U+FFFD. */
export function goValue(message: Message, partition: number, createTimeMs: number): Buffer {
  const { headers, body, topic } = message;
  const names = Object.keys(headers).filter((name) => name.startsWith(messageHeader.forward));
  const forwarded = names
    .map((name) => [canonical(name.slice(messageHeader.forward.length)), [headers[name]]] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const envelope = {
    Headers: Object.fromEntries(forwarded),
    Url: headers[messageHeader.url] ?? '',
    Data: body.toString('utf8'),
    Topic: topic,
    Partition: partition,
    CreateTime: createTimeMs,
  };
  return Buffer.from(goJson(envelope));
}

/** Everything that bigpipe itself needs of the message beside the value. */
export function goSideHeaders({ headers, key }: Message): Record<string, string | Buffer> {
  const kept: Record<string, string | Buffer> = { ...headers, [formHeader]: formGo };
  if (key !== null) kept[keyHeader] = key;
  return kept;
}

export interface GoContent {
  readonly key: Buffer | null;
  readonly body: Buffer;
  readonly headers: MessageHeaders;
}

/** A message that the original wrote, which has nothing beside its value. Null when the value is not of that form. */
export function readGoValue(value: Buffer): GoContent | null {
  const call = parse(value);
  if (call === null) return null;
  const headers: Record<string, string> = { [messageHeader.url]: call.Url };
  for (const [name, values] of Object.entries(call.Headers)) {
    const last = values.at(-1);
    if (last !== undefined) headers[`${messageHeader.forward}${name.toLowerCase()}`] = last;
  }
  return { key: null, body: Buffer.from(call.Data), headers };
}

/** A message that a bigpipe wrote for the original to read; null for any other. `rawKey`: the bytes of `keyHeader`. */
export function readOwnGoValue(value: Buffer, headers: MessageHeaders, rawKey: Buffer | null): GoContent | null {
  if (headers[formHeader] !== formGo) return null;
  const call = parse(value);
  if (call === null) return null;
  const { [formHeader]: _form, [keyHeader]: _key, ...rest } = headers;
  return { key: rawKey, body: Buffer.from(call.Data), headers: rest };
}

function parse(value: Buffer): GoMessage | null {
  if (value[0] !== brace) return null;
  let call: Partial<GoMessage>;
  try {
    call = JSON.parse(value.toString('utf8')) as Partial<GoMessage>;
  } catch {
    return null;
  }
  const { Headers: headers, Url, Data, Topic, Partition, CreateTime } = call;
  const texts = [Url, Data, Topic].every((text) => typeof text === 'string');
  const numbers = [Partition, CreateTime].every((number) => typeof number === 'number');
  if (!texts || !numbers || typeof headers !== 'object' || headers === null || Array.isArray(headers)) return null;
  const lists = Object.values(headers).every(
    (list) => Array.isArray(list) && list.every((text) => typeof text === 'string'),
  );
  return lists ? (call as GoMessage) : null;
}
