// One HTTP request as it is told, without the defaults that fetch adds or the methods that it forbids.
import { request } from 'node:http';

export interface RawRequest {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Several pieces go out as a chunked body, one piece with a content-length, none without a body. */
  readonly body?: readonly Uint8Array[];
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export function rawRequest(url: string, { method = 'POST', headers = {}, body = [] }: RawRequest): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const [only] = body;
    const length = body.length === 1 && only !== undefined ? { 'content-length': String(only.length) } : {};
    const outgoing = request(url, { method, headers: { ...length, ...headers }, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    outgoing.on('error', reject);
    for (const piece of body) outgoing.write(piece);
    outgoing.end();
  });
}
