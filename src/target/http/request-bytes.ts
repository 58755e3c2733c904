// A request as it goes over the wire; pure.
import { framing } from '../../message/held-back.js';

export interface HttpRequest {
  readonly method: 'POST' | 'OPTIONS';
  readonly path: string;
  /** Names and values, flat; none of how a request is framed. `host` is the origin's where none is among them. */
  readonly headers: readonly string[];
  /** null: none, and nothing is said of one. */
  readonly body: Buffer | null;
}

const path = /^\/[\x21-\x7e]*$/;
const name = /^[\w!#$%&'*+\-.^`|~]+$/;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;
/** One piece is written faster than two, until copying costs more. */
const maxOnePieceBytes = 65_536;

/** The head alone, or with the body behind it; what is left of the body is the next piece. */
export interface RequestPieces {
  readonly first: Buffer;
  readonly rest: Buffer | null;
}

/** Throws for what would be read as something else: a log may hold what no door of ours would take. `host`: the origin's. */
export function piecesOf(request: HttpRequest, host: string): RequestPieces {
  const { body } = request;
  const head = headOf(request, host);
  if (body === null || body.length === 0) return { first: Buffer.from(head, 'latin1'), rest: null };
  if (body.length > maxOnePieceBytes) return { first: Buffer.from(head, 'latin1'), rest: body };
  const first = Buffer.allocUnsafe(head.length + body.length);
  first.write(head, 0, 'latin1');
  first.set(body, head.length);
  return { first, rest: null };
}

function headOf(request: HttpRequest, host: string): string {
  const { method, headers, body } = request;
  if (!path.test(request.path)) throw new Error('the path of the URL cannot be sent');
  let own = '';
  let fields = '';
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const [key, text] = [headers[i] as string, headers[i + 1] as string];
    const lower = key.toLowerCase();
    if (!name.test(key) || !value.test(text) || framing.has(lower))
      throw new Error(`the header ${JSON.stringify(key)} cannot be sent`);
    if (lower === 'host') own = text;
    else fields += `${key}: ${text}\r\n`;
  }
  const counted = body === null ? '' : `content-length: ${body.length}\r\n`;
  return `${method} ${request.path} HTTP/1.1\r\nhost: ${own || host}\r\nconnection: keep-alive\r\n${fields}${counted}\r\n`;
}
