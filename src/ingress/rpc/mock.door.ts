// ANY /rpc/server/mock: a receiver to try things out with. Answers 200 with an empty body, or as the query asks.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { mainListener } from '../../message/listener.js';
import { openRawScope } from '../raw-scope.js';

const methods = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE'];
const maxDelayMs = 60_000;

@Injectable()
export class MockDoor implements OnModuleInit {
  constructor(
    private readonly clock: Clock,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openRawScope(
      this.adapterHost,
      () => this.configWatch.settings.server.maxBodyBytes,
      (scope) => {
        scope.route({
          method: methods,
          url: '/rpc/server/mock',
          constraints: mainListener,
          handler: (request, reply) => this.answer(request, reply),
        });
      },
    );
  }

  /** Query: `status` 200 to 599, `delay` in ms up to 60,000, `fail` the share from 0 to 1 that is answered with 500. */
  private async answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = request.query as Record<string, unknown>;
    const status = numberIn(query['status'], 200, 200, 599);
    const delayMs = numberIn(query['delay'], 0, 0, maxDelayMs);
    const failShare = numberIn(query['fail'], 0, 0, 1);
    if (status === null || delayMs === null || failShare === null) {
      return reply.status(400).send('allowed: status 200 to 599, delay 0 to 60000 (ms), fail 0 to 1 (share)\n');
    }
    if (delayMs > 0) await new Promise<void>((resolve) => this.clock.setTimer(delayMs, resolve));
    return reply.status(Math.random() < failShare ? 500 : status).send();
  }
}

/** Null for what is no number within the bounds. */
function numberIn(text: unknown, absent: number, min: number, max: number): number | null {
  if (text === undefined) return absent;
  const value = typeof text === 'string' && text !== '' ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : null;
}
