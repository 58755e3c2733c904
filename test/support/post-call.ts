// One POST of a call, and its answer as far as a ledger wants to know it.
import { type Agent, request } from 'node:http';

export interface CallAnswer {
  readonly status: number;
  readonly errno: number | undefined;
  readonly error: string | undefined;
  readonly retryAfter: string | undefined;
}

/** Null when no whole answer came, `unreachable` when nobody listens: then nobody has the call. */
export function postCall(agent: Agent, port: number, text: string): Promise<CallAnswer | 'unreachable' | null> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/rpc/call', method: 'POST', agent };
    const call = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', () => resolve(null));
      response.on('end', () => {
        const { errno } = JSON.parse(Buffer.concat(chunks).toString()) as { errno?: number };
        const { 'bigpipe-error': error, 'retry-after': retryAfter } = response.headers;
        resolve({ status: response.statusCode ?? 0, errno, error: error as string | undefined, retryAfter });
      });
    });
    call.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED' ? 'unreachable' : null));
    call.end(text);
  });
}
