// An answer that somebody waits for, as it comes in: kept whole, or not at all.
import type { MessageHeaders } from '../../message/message.js';
import type { ReceivedAnswer } from '../../message/reply.js';
import type { AnswerHeaders } from './answer-parser.js';
import type { AnswerReader } from './answer-reader.js';

/** What says something of the body, or of what to do next; what belongs to the connection, or is a secret, is not passed on. */
const passedOn: ReadonlySet<string> = new Set([
  'content-type',
  'content-language',
  'content-encoding',
  'content-disposition',
  'cache-control',
  'etag',
  'expires',
  'last-modified',
  'link',
  'location',
  'retry-after',
  'vary',
]);

export class KeptAnswer implements AnswerReader {
  private headers: MessageHeaders = {};
  private chunks: Buffer[] | null = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  begin(headers: AnswerHeaders): void {
    const kept: Record<string, string> = {};
    for (const name of passedOn) {
      const value = headers.get(name);
      if (value !== undefined) kept[name] = value;
    }
    this.headers = kept;
  }

  /** False once it is too long. */
  add(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.bytes > this.maxBytes) this.chunks = null;
    else this.chunks?.push(Buffer.from(chunk));
    return this.chunks !== null;
  }

  /** Its end has come. */
  whole(status: number): ReceivedAnswer | null {
    return this.chunks && { status, headers: this.headers, body: Buffer.concat(this.chunks) };
  }
}
