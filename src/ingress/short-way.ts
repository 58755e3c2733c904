// The short way of a plain call: from Node's parser to its door, past the router, hooks and streams that it has no use for.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance } from 'fastify';
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { DoorHandler, DoorReply, DoorRequest } from './exchange.js';
import { PlainReply } from './plain-reply.js';
import { WholeRequest } from './whole-request.js';

export interface ShortWay {
  readonly path: string;
  readonly handle: DoorHandler;
  /** A connection ended before the body of its call: there is nobody to answer. */
  readonly broken: () => void;
  /** `handle` has rejected before it answered. */
  readonly failed: (error: Error, reply: DoorReply) => void;
}

type RequestListener = (request: IncomingMessage, response: ServerResponse) => void;

/** By the listener that they are of. */
const opened = new WeakMap<Server, ShortWays>();

/**
 * POSTs to exactly this path whose content-length says that they are within the bounds come to the door itself. Everything else
 * on that path goes on to Fastify, which has the same door; so does all while the listener closes. A door answers alike on both.
 */
export function openShortWay(adapterHost: HttpAdapterHost, configWatch: ConfigWatch, way: ShortWay): void {
  const fastify = adapterHost.httpAdapter.getInstance<FastifyInstance>();
  let ways = opened.get(fastify.server);
  if (ways === undefined) {
    ways = new ShortWays(fastify, configWatch);
    opened.set(fastify.server, ways);
  }
  ways.add(way);
}

class ShortWays {
  private readonly ways = new Map<string, ShortWay>();
  private isClosing = false;

  constructor(
    fastify: FastifyInstance,
    private readonly configWatch: ConfigWatch,
  ) {
    const { server } = fastify;
    const others = server.listeners('request') as RequestListener[];
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (!this.took(request, response)) for (const listener of others) listener(request, response);
    });
    fastify.addHook('preClose', (done) => {
      this.isClosing = true;
      done();
    });
  }

  add(way: ShortWay): void {
    this.ways.set(way.path, way);
  }

  private took(request: IncomingMessage, response: ServerResponse): boolean {
    const way = request.method === 'POST' ? this.ways.get(request.url as string) : undefined;
    if (way === undefined || this.isClosing || !(request instanceof WholeRequest)) return false;
    const { maxBodyBytes, maxHeaders, closedPages } = this.configWatch.settings.server;
    if (closedPages.length > 0 || request.rawHeaders.length > 2 * maxHeaders) return false;
    // Node's parser holds it against the body, and refuses any that is no number, or comes twice, or with chunks.
    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced === 0 || announced > maxBodyBytes) return false;
    request.takeBody((body) => {
      const reply = new PlainReply(response);
      way.handle(new PlainRequest(request, body), reply).catch((error) => way.failed(error, reply));
    }, way.broken);
    return true;
  }
}

class PlainRequest implements DoorRequest {
  readonly method = 'POST';

  constructor(
    readonly raw: WholeRequest,
    readonly body: Buffer,
  ) {}

  get headers() {
    return this.raw.headers;
  }

  get socket() {
    return this.raw.socket;
  }
}
