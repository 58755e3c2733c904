// Reads a request's body to its end; Fastify's own reading has its limit from the start of the process.
import type { IncomingMessage } from 'node:http';

class UnreadableBody extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

/** `contentLength` NaN: not told. Calls `done` once: with the bytes, or with an error that bears a statusCode: 413 past `limit`, else 400. */
export function readBody(
  payload: IncomingMessage,
  contentLength: number,
  limit: number,
  done: (error: Error | null, body?: Buffer) => void,
): void {
  const tooLarge = () => done(new UnreadableBody(413, `the body is larger than ${limit} bytes`));
  if (contentLength > limit) {
    tooLarge();
    return;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  const stop = () => {
    payload.removeListener('data', onData);
    payload.removeListener('end', onEnd);
    payload.removeListener('error', onError);
  };
  const onData = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= limit) {
      chunks.push(chunk);
      return;
    }
    stop();
    tooLarge();
  };
  const onEnd = () => {
    stop();
    if (!Number.isNaN(contentLength) && bytes !== contentLength) {
      done(new UnreadableBody(400, `the body has ${bytes} bytes, content-length says ${contentLength}`));
      return;
    }
    // A copy: a chunk is a view of the socket's buffer, which would stay in memory as long as the call.
    done(null, Buffer.concat(chunks, bytes));
  };
  const onError = (error: Error) => {
    stop();
    done(new UnreadableBody(400, error.message));
  };
  payload.on('data', onData);
  payload.on('end', onEnd);
  payload.on('error', onError);
}
