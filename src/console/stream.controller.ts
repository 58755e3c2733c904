// GET /console/stream: server-sent events, one sample a second, with the destinations if they are asked for.
import type { ServerResponse } from 'node:http';
import { BadRequestException, Controller, Get, Query, Res, ServiceUnavailableException } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { managementListener } from '../message/listener.js';
import { LiveFeed, type Watcher } from './live-feed.js';

/** The part of a reply that is used here. */
interface Reply {
  hijack(): unknown;
  readonly raw: ServerResponse;
}

const maxMatchLength = 256;
/** What may be on its way to one page. */
const maxWaitingBytes = 4 * 1_048_576;

@Controller('console/stream')
export class StreamController {
  constructor(private readonly feed: LiveFeed) {}

  /** `?destinations=` lists those whose name has the text in it, all of them if it is empty. */
  @Get()
  @RouteConstraints(managementListener)
  stream(@Query('destinations') match: unknown, @Res() reply: Reply): void {
    const response = reply.raw;
    const watcher: Watcher = {
      match: matchOf(match),
      // Who does not read gets no more than what is on its way.
      write: (event) => {
        if (response.writableLength < maxWaitingBytes) response.write(event);
      },
      end: () => response.end(),
    };
    if (!this.feed.hasRoom) throw new ServiceUnavailableException('as many consoles are open as may be');
    reply.hijack();
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A proxy in between passes each event on at once.
      'x-accel-buffering': 'no',
    });
    response.once('close', () => this.feed.unwatch(watcher));
    this.feed.watch(watcher);
  }
}

/** Null: no list. */
function matchOf(match: unknown): string | null {
  if (match === undefined) return null;
  if (typeof match === 'string' && match.length <= maxMatchLength) return match;
  throw new BadRequestException(`destinations: allowed: one text of at most ${maxMatchLength} characters`);
}
