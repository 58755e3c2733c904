// GET and DELETE /v1/messages/{id}: where a message is in each subscription, and the way to stop it.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { mainListener } from '../../message/listener.js';
import { isMessageId } from '../../message/message-id.js';
import { MessageTracker, type TrackedMessage } from '../../tracking/message-tracker.js';
import { callerOf } from '../caller.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { isOver, stateOf } from './message-state.js';
import { messagesPath } from './messages.door.js';
import { problemOf, sendProblem, sendThrottled } from './problem.js';
import { openV1Scope, refuseMethod, sendError } from './v1-scope.js';

const path = `${messagesPath}/:id`;

@Injectable()
export class StateDoor implements OnModuleInit {
  constructor(
    private readonly acl: Acl,
    private readonly tracker: MessageTracker,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      const handlers = {
        GET: (reply: FastifyReply, found: TrackedMessage) => this.show(reply, found),
        DELETE: (reply: FastifyReply, found: TrackedMessage, caller: AclEntry) => this.cancel(reply, found, caller),
      };
      for (const [method, handle] of Object.entries(handlers)) {
        scope.route({
          method,
          url: path,
          constraints: mainListener,
          handler: (request, reply) => this.withMessage(request, reply, handle),
        });
      }
      refuseOtherMethods(scope, path, ['GET', 'HEAD', 'DELETE'], refuseMethod);
    });
  }

  /** Somebody else's message is answered as one that is not there. */
  private async withMessage(
    request: FastifyRequest,
    reply: FastifyReply,
    handle: (reply: FastifyReply, found: TrackedMessage, caller: AclEntry) => FastifyReply | Promise<FastifyReply>,
  ): Promise<FastifyReply> {
    const checked = callerOf(this.acl, request);
    const caller = checked instanceof Promise ? await checked : checked;
    if (caller === null) return sendProblem(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const throttle = caller.admit();
    if (throttle !== null) return sendThrottled(reply, throttle);
    const { id } = request.params as { id: string };
    try {
      const found = isMessageId(id) ? await this.find(id, caller) : null;
      if (found === null)
        return sendProblem(
          reply,
          problemOf('not-found', 'this caller has sent no such message, or it is too long ago'),
        );
      return await handle(reply, found, caller);
    } catch (error) {
      return sendError(reply, error);
    }
  }

  private show(reply: FastifyReply, found: TrackedMessage): FastifyReply {
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(stateOf(found)));
  }

  private async cancel(reply: FastifyReply, found: TrackedMessage, caller: AclEntry): Promise<FastifyReply> {
    if (isOver(found))
      return sendProblem(
        reply,
        problemOf('already-settled', 'it is delivered, or a dead letter, in every subscription'),
      );
    await this.tracker.cancel(found.id, found.stored);
    // Some of it may have been sent in the meantime.
    return this.show(reply, (await this.find(found.id, caller)) ?? { ...found, isCancelled: true });
  }

  private find(id: string, caller: AclEntry): Promise<TrackedMessage | null> {
    const topics = this.configWatch.settings.topics.map(({ name }) => name).filter((topic) => caller.mayWrite(topic));
    return this.tracker.find(id, caller.name, topics);
  }
}
