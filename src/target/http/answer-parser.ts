// What comes back over a connection, read as one HTTP/1.1 answer after another (RFC 9112); pure.

/** Of one head, or of one line around the chunks. */
const maxHeadBytes = 16_384;
/** Of all that comes with one answer beside its head and its body: heads before it, empty lines, what is said around the chunks, trailers. */
const maxBesideBytes = 65_536;
const headEnd = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');
const headStart = 'HTTP/1.';
/** Each is linear in what it reads, whatever that is: a stranger writes it. */
const statusLine = /HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/y;
const field = /([\w!#$%&'*+\-.^`|~]+):([\t\x20-\x7e\x80-\xff]*)\r\n/y;
/** A value that goes on in the next line: obsolete, and to be read as a space. */
const folded = /[\t ]([\t\x20-\x7e\x80-\xff]*)\r\n/y;
const chunkLine = /([\da-f]{1,12})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?\r\n/iy;
/** Larger ones are beyond whole numbers. */
const length = /^\d{1,15}$/;

/** What came is no answer, or not all of one. */
export class BrokenAnswer extends Error {
  override readonly name = 'BrokenAnswer';
}

/** Names in lower case; of a name that came more than once the values, with commas between. */
export type AnswerHeaders = ReadonlyMap<string, string>;

/** Told as it comes, in this order. */
export interface AnswerParts {
  /** Of the answer itself; 1xx are read over. */
  head(status: number, headers: AnswerHeaders): void;
  /** A piece of its body, decoded from its chunks. */
  data(piece: Buffer): void;
  /** It is whole. `mayGoOn`: another request may follow on this connection. */
  end(mayGoOn: boolean): void;
}

type State = 'head' | 'counted' | 'chunk line' | 'chunk' | 'chunk end' | 'trailers' | 'to the end' | 'done';

export class AnswerParser {
  private state: State = 'done';
  /** Of a head or a line whose end is still to come. */
  private begun: Buffer | null = null;
  /** Of the body, or of its chunk. */
  private leftBytes = 0;
  private besideBytes = 0;
  private isKept = false;

  constructor(private readonly parts: AnswerParts) {}

  /** A request has been sent: its answer is next. */
  begin(): void {
    this.state = 'head';
    this.begun = null;
    this.besideBytes = 0;
  }

  /** Nothing more is told. */
  stop(): void {
    this.state = 'done';
  }

  /** Throws BrokenAnswer. */
  take(chunk: Buffer): void {
    const bytes = this.begun === null ? chunk : Buffer.concat([this.begun, chunk]);
    this.begun = null;
    for (let at = 0; at < bytes.length && this.state !== 'done'; ) {
      const next = this.step(bytes, at);
      if (next === null) {
        this.keep(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** The other side sends nothing more. Throws BrokenAnswer for one that is not whole. */
  ended(): void {
    if (this.state === 'done') return;
    if (this.state !== 'to the end') throw new BrokenAnswer('the other side closed the connection');
    this.finish(false);
  }

  /** From where it goes on; null: what is there is not enough for a step. */
  private step(bytes: Buffer, at: number): number | null {
    switch (this.state) {
      case 'head':
        return this.readHead(bytes, at);
      case 'chunk line':
        return this.readChunkLine(bytes, at);
      case 'chunk end':
        return this.readChunkEnd(bytes, at);
      case 'trailers':
        return this.readTrailer(bytes, at);
      default:
        return this.readBody(bytes, at);
    }
  }

  private keep(bytes: Buffer): void {
    if (bytes.length > maxHeadBytes) throw tooLong();
    const isHead = this.state === 'head' && bytes[0] !== lineEnd[0];
    if (isHead && !headStart.startsWith(bytes.toString('latin1', 0, headStart.length)))
      throw new BrokenAnswer('the answer is no HTTP/1.1');
    this.begun = bytes;
  }

  private readHead(bytes: Buffer, at: number): number | null {
    // An empty line before it is a slip that is forgiven.
    if (startsWithLineEnd(bytes, at)) {
      this.countBeside(lineEnd.length);
      return at + lineEnd.length;
    }
    const end = bytes.indexOf(headEnd, at);
    if (end === -1) return null;
    const next = end + headEnd.length;
    if (next - at > maxHeadBytes) throw tooLong();
    const text = bytes.toString('latin1', at, end + lineEnd.length);
    statusLine.lastIndex = 0;
    const [line, minor, digits] = statusLine.exec(text) ?? [];
    if (line === undefined) throw new BrokenAnswer('the answer begins with no status line');
    const status = Number(digits);
    const headers = fieldsOf(text, line.length);
    if (status === 101) throw new BrokenAnswer('it changed to another protocol, unasked');
    if (status < 200) this.countBeside(next - at);
    else this.begins(status, headers, minor === '1', next === bytes.length);
    return next;
  }

  private begins(status: number, headers: AnswerHeaders, isOfToday: boolean, isAll: boolean): void {
    const coding = headers.get('transfer-encoding');
    const counted = headers.get('content-length');
    if (coding !== undefined && counted !== undefined) throw new BrokenAnswer('both a length and chunks');
    if (counted !== undefined && !length.test(counted)) throw new BrokenAnswer('a content-length that is no length');
    this.isKept = mayBeKept(headers.get('connection'), isOfToday);
    this.leftBytes = 0;
    if (status === 204 || status === 304) {
      // Who says that a body comes may send one, where the next answer belongs.
      if (coding !== undefined || (counted !== undefined && Number(counted) > 0)) this.isKept = false;
      this.state = 'counted';
    } else if (coding !== undefined) {
      const last = trimmed(coding.slice(coding.lastIndexOf(',') + 1)).toLowerCase();
      if (last === '') throw new BrokenAnswer('a transfer-encoding that is none');
      this.state = last === 'chunked' ? 'chunk line' : 'to the end';
      // HTTP/1.0 knows no chunks: what stands between here and there may have read its end elsewhere.
      if (!isOfToday) this.isKept = false;
    } else if (counted !== undefined) {
      this.state = 'counted';
      this.leftBytes = Number(counted);
    } else this.state = 'to the end';
    this.parts.head(status, headers);
    if (this.state === 'counted' && this.leftBytes === 0) this.finish(isAll);
  }

  private readBody(bytes: Buffer, at: number): number {
    if (this.state === 'to the end') {
      this.parts.data(bytes.subarray(at));
      return bytes.length;
    }
    const end = Math.min(bytes.length, at + this.leftBytes);
    this.leftBytes -= end - at;
    this.parts.data(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    if (this.leftBytes > 0) return end;
    if (this.state === 'chunk') this.state = 'chunk end';
    else if (this.state === 'counted') this.finish(end === bytes.length);
    return end;
  }

  private readChunkLine(bytes: Buffer, at: number): number | null {
    const next = this.lineAfter(bytes, at);
    if (next === null) return null;
    chunkLine.lastIndex = 0;
    const [line, size] = chunkLine.exec(bytes.toString('latin1', at, next)) ?? [];
    if (line === undefined || size === undefined) throw new BrokenAnswer('a chunk without its size');
    // Where a body is cut into single bytes there is more of these lines than of it: only what they say beside the size counts.
    this.countBeside(line.length - size.length - lineEnd.length);
    this.leftBytes = Number.parseInt(size, 16);
    this.state = this.leftBytes === 0 ? 'trailers' : 'chunk';
    return next;
  }

  private readChunkEnd(bytes: Buffer, at: number): number | null {
    if (bytes.length - at < lineEnd.length) return null;
    if (bytes[at] !== lineEnd[0] || bytes[at + 1] !== lineEnd[1])
      throw new BrokenAnswer('a chunk longer than its size');
    this.state = 'chunk line';
    return at + lineEnd.length;
  }

  private readTrailer(bytes: Buffer, at: number): number | null {
    const next = this.lineAfter(bytes, at);
    if (next === null) return null;
    if (next - at === lineEnd.length) {
      this.finish(next === bytes.length);
      return next;
    }
    this.countBeside(next - at);
    field.lastIndex = 0;
    if (!field.test(bytes.toString('latin1', at, next))) throw new BrokenAnswer('a trailer field that is none');
    return next;
  }

  /** Where the next line begins; null when this one has not come to its end. */
  private lineAfter(bytes: Buffer, at: number): number | null {
    const end = bytes.indexOf(lineEnd, at);
    if (end === -1) return null;
    const next = end + lineEnd.length;
    if (next - at > maxHeadBytes) throw tooLong();
    return next;
  }

  private countBeside(bytes: number): void {
    this.besideBytes += bytes;
    if (this.besideBytes > maxBesideBytes)
      throw new BrokenAnswer(`more than ${maxBesideBytes} bytes beside its head and its body`);
  }

  /** `isAll`: nothing stands behind it that nobody has asked for. */
  private finish(isAll: boolean): void {
    this.state = 'done';
    this.parts.end(isAll && this.isKept);
  }
}

const tooLong = () => new BrokenAnswer(`a head or line of more than ${maxHeadBytes} bytes`);

const startsWithLineEnd = (bytes: Buffer, at: number) => bytes[at] === lineEnd[0] && bytes[at + 1] === lineEnd[1];

/** The fields of a head from `from` on. */
function fieldsOf(text: string, from: number): AnswerHeaders {
  const headers = new Map<string, string>();
  let name = '';
  for (let at = from; at < text.length; ) {
    field.lastIndex = at;
    let found = field.exec(text);
    if (found !== null) {
      name = (found[1] as string).toLowerCase();
      add(headers, name, trimmed(found[2] as string));
    } else {
      folded.lastIndex = at;
      found = folded.exec(text);
      if (found === null || name === '') throw new BrokenAnswer('a header field that is none');
      headers.set(name, `${headers.get(name)} ${trimmed(found[1] as string)}`);
    }
    at += found[0].length;
  }
  return headers;
}

function add(headers: Map<string, string>, name: string, value: string): void {
  const before = headers.get(name);
  headers.set(name, before === undefined ? value : `${before}, ${value}`);
}

/** Without spaces and tabs around it. */
function trimmed(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from += 1;
  while (from < to && isBlank(value.charCodeAt(to - 1))) to -= 1;
  return value.slice(from, to);
}

const isBlank = (code: number) => code === 0x20 || code === 0x09;

/** `isOfToday`: HTTP/1.1, which keeps connections unless it says otherwise; 1.0 does not. */
function mayBeKept(connection: string | undefined, isOfToday: boolean): boolean {
  if (connection === undefined) return isOfToday;
  const options = connection.toLowerCase().split(',').map(trimmed);
  return isOfToday ? !options.includes('close') : options.includes('keep-alive') && !options.includes('close');
}
