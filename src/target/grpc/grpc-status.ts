// What a receiver's gRPC status means, in the words in which outcomes, status lists and dead letters are told: HTTP's.

interface Meaning {
  readonly name: string;
  /** The usual one, except where its default verdict would not fit: the same call again is refused again, or may succeed. */
  readonly status: number;
}

const meanings: readonly Meaning[] = [
  { name: 'OK', status: 200 },
  { name: 'CANCELLED', status: 500 },
  { name: 'UNKNOWN', status: 500 },
  { name: 'INVALID_ARGUMENT', status: 400 },
  { name: 'DEADLINE_EXCEEDED', status: 504 },
  { name: 'NOT_FOUND', status: 404 },
  { name: 'ALREADY_EXISTS', status: 422 },
  { name: 'PERMISSION_DENIED', status: 403 },
  { name: 'RESOURCE_EXHAUSTED', status: 429 },
  { name: 'FAILED_PRECONDITION', status: 400 },
  { name: 'ABORTED', status: 409 },
  { name: 'OUT_OF_RANGE', status: 400 },
  { name: 'UNIMPLEMENTED', status: 405 },
  { name: 'INTERNAL', status: 500 },
  { name: 'UNAVAILABLE', status: 503 },
  { name: 'DATA_LOSS', status: 500 },
  { name: 'UNAUTHENTICATED', status: 401 },
];
const unknown = meanings[2] as Meaning;

/** Of the trailer grpc-status; UNKNOWN for what is none. */
export function meaningOf(code: string): Meaning {
  return (/^\d{1,2}$/.test(code) && meanings[Number(code)]) || unknown;
}

/** Only who says that he is overloaded asks to be left alone. */
export const mayHold = ({ status }: Meaning): boolean => status === 429 || status === 503;

/** The text of the trailer grpc-message; one that was encoded wrongly is shown as it stands. */
export function messageIn(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '');
  } catch {
    return text ?? '';
  }
}

/**
 * Milliseconds for which the receiver asks to be left alone, null when it does not: by the trailer grpc-retry-pushback-ms,
 * or by a google.rpc.RetryInfo among the details of its status.
 */
export function retryAfterMsIn(pushback: string | undefined, details: string | undefined): number | null {
  if (pushback !== undefined && /^\d{1,10}$/.test(pushback)) return Number(pushback);
  if (details === undefined) return null;
  for (const any of bytesOf(fieldsOf(Buffer.from(details, 'base64')), 3)) {
    const fields = fieldsOf(any);
    const [url] = bytesOf(fields, 1);
    if (url?.toString().endsWith('/google.rpc.RetryInfo') !== true) continue;
    const [delay] = bytesOf(fields, 2).flatMap((info) => bytesOf(fieldsOf(info), 1));
    if (delay !== undefined) return durationMs(fieldsOf(delay));
  }
  return null;
}

interface Field {
  readonly number: number;
  readonly value: number | Buffer;
}

/** Of a protobuf message: varints and bytes, in their order, as far as it can be read. */
function fieldsOf(bytes: Buffer): Field[] {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = varintAt(bytes, at);
    if (tag === null) break;
    const value = varintAt(bytes, tag.end);
    const [number, kind] = [Math.floor(tag.value / 8), tag.value % 8];
    if (value === null || (kind !== 0 && kind !== 2)) break;
    at = kind === 0 ? value.end : value.end + value.value;
    fields.push({ number, value: kind === 0 ? value.value : bytes.subarray(value.end, at) });
  }
  return fields;
}

function varintAt(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | null {
  let value = 0;
  for (let at = start, scale = 1; at < bytes.length && at < start + 10; at += 1, scale *= 128) {
    const byte = bytes[at] as number;
    value += (byte % 128) * scale;
    if (byte < 128) return { value, end: at + 1 };
  }
  return null;
}

const bytesOf = (fields: readonly Field[], number: number): Buffer[] =>
  fields.flatMap((field) => (field.number === number && typeof field.value !== 'number' ? [field.value] : []));

function durationMs(fields: readonly Field[]): number | null {
  const [seconds, nanos] = [1, 2].map((number) => Number(fields.find((one) => one.number === number)?.value ?? 0));
  const ms = Math.ceil((seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6);
  // A negative one is a varint past all bounds.
  return ms >= 0 && ms <= 1e12 ? ms : null;
}
