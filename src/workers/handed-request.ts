// A request that a worker hands over, and what is answered when it cannot.
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HandedRequest } from './control-channel.js';

export const later = (reply: FastifyReply) => reply.status(503).header('retry-after', '1').send();

export function handedOf({ raw, body, socket }: FastifyRequest): HandedRequest {
  return {
    method: raw.method ?? 'GET',
    url: raw.url ?? '/',
    headers: headersOf(raw.rawHeaders),
    body: (body as Buffer | undefined) ?? null,
    remoteAddress: socket.remoteAddress ?? '',
  };
}

/** As they came: the raw scope takes the content type away. Repeated ones become one line, as in HTTP. */
function headersOf(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = Object.create(null);
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase();
    const value = raw[i + 1] as string;
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return headers;
}
