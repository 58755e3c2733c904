// Reads requests from a raw connection by their content-length.
import type { Socket } from 'node:net';

const headEndMark = Buffer.from('\r\n\r\n');
const lengthMark = Buffer.from('content-length: ');

/** Calls `onRequest` with the bytes that begin with a whole request, where its body begins, and where it ends. */
export function readRequests(socket: Socket, onRequest: (bytes: Buffer, bodyAt: number, endAt: number) => void): void {
  let rest: Buffer | null = null;
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    let bytes: Buffer = rest === null ? chunk : Buffer.concat([rest, chunk]);
    rest = null;
    while (bytes.length > 0) {
      const end = requestEnd(bytes);
      if (end === null || end.endAt > bytes.length) {
        rest = bytes;
        return;
      }
      onRequest(bytes, end.bodyAt, end.endAt);
      bytes = bytes.subarray(end.endAt);
    }
  });
}

function requestEnd(bytes: Buffer): { bodyAt: number; endAt: number } | null {
  const headEnd = bytes.indexOf(headEndMark);
  if (headEnd < 0) return null;
  const lengthAt = bytes.indexOf(lengthMark) + lengthMark.length;
  let length = 0;
  for (let i = lengthAt; (bytes[i] as number) >= 48; i += 1) length = length * 10 + (bytes[i] as number) - 48;
  return { bodyAt: headEnd + 4, endAt: headEnd + 4 + length };
}
