// GET /v1/messages/{id}/reply: what the receiver answered, or will have answered when the time is over.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { mainListener } from '../../message/listener.js';
import { isMessageId } from '../../message/message-id.js';
import { callerOf } from '../caller.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { WaitingRoom, waitMsOf } from '../waiting-caller.js';
import { messagesPath } from './messages.door.js';
import { problemOf, sendProblem, sendThrottled } from './problem.js';
import { sendReceiverAnswer } from './receiver-answer.js';
import { openV1Scope, refuseMethod, sendError } from './v1-scope.js';

const path = `${messagesPath}/:id/reply`;

@Injectable()
export class ReplyDoor implements OnModuleInit {
  constructor(
    private readonly acl: Acl,
    private readonly waiting: WaitingRoom,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      scope.route({
        method: 'GET',
        url: path,
        constraints: mainListener,
        exposeHeadRoute: false,
        handler: (request, reply) => this.show(request, reply),
      });
      refuseOtherMethods(scope, path, ['GET'], refuseMethod);
    });
  }

  /** Somebody else's reply is answered as one that is not there. */
  private async show(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const checked = callerOf(this.acl, request);
    const caller = checked instanceof Promise ? await checked : checked;
    if (caller === null) return sendProblem(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const throttle = caller.admit();
    if (throttle !== null) return sendThrottled(reply, throttle);
    const { id } = request.params as { id: string };
    const { wait = '0' } = request.query as { wait?: unknown };
    const waitMs = waitMsOf(typeof wait === 'string' && /^\d{1,4}(\.\d{1,3})?$/.test(wait) ? Number(wait) : null);
    if (waitMs === null)
      return sendProblem(reply, problemOf('invalid-request', 'wait: allowed: seconds from 0 to 3600'));
    try {
      const found = isMessageId(id) ? await this.waiting.find(request, reply, id, waitMs) : null;
      if (found?.caller !== caller.name) {
        const detail = 'no reply is kept: none has come yet, nobody asked for it, or it is too long ago';
        return sendProblem(reply, problemOf('not-found', detail));
      }
      return sendReceiverAnswer(reply, found);
    } catch (error) {
      return sendError(reply, error);
    }
  }
}
