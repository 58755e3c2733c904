// What a door asks of a request and of its answer: Fastify's are such, and so are those of the short way past it.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export interface DoorRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** The bytes as a Buffer; undefined for none. */
  readonly body: unknown;
  readonly raw: IncomingMessage;
  readonly socket: Socket;
}

export interface DoorReply {
  readonly raw: ServerResponse;
  readonly statusCode: number;
  status(code: number): DoorReply;
  /** In the place of one of the same name. Names are lower case. */
  header(name: string, value: string | number): DoorReply;
  headers(values: Readonly<Record<string, string>>): DoorReply;
  hasHeader(name: string): boolean;
  getHeader(name: string): unknown;
  /** Ends it; undefined: without a body. */
  send(body?: string | Buffer): DoorReply;
}

export type DoorHandler = (request: DoorRequest, reply: DoorReply) => Promise<DoorReply>;
