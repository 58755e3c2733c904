// What a worker does not answer itself it hands to the main process: the pages, and whatever needs the log to be read.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { openRawScope } from '../ingress/raw-scope.js';
import { mainListener } from '../message/listener.js';
import { Admission } from '../producer/admission.js';
import { ControlChannel } from './control-channel.js';
import { handedOf, later } from './handed-request.js';

/** HEAD comes with GET. */
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Pages are for people and machines that look now and then; more than this at once come back later. */
const maxAtOnce = 1024;
const maxBytesAtOnce = 16 * 1_048_576;
const answerMs = 30_000;

@Injectable()
export class HandingDoor implements OnModuleInit {
  private readonly admission = new Admission(maxAtOnce, maxBytesAtOnce);

  constructor(
    private readonly channel: ControlChannel,
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
          url: '/*',
          constraints: mainListener,
          handler: (request, reply) => this.hand(request, reply),
        });
      },
    );
  }

  private async hand(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const bytes = (request.body as Buffer | undefined)?.length ?? 0;
    if (!this.admission.enter(bytes)) return later(reply);
    try {
      const { status, headers, body } = await this.channel.ask('handed', handedOf(request), answerMs);
      return reply.status(status).headers(headers).send(Buffer.from(body));
    } catch {
      return later(reply);
    } finally {
      this.admission.leave(bytes);
    }
  }
}
