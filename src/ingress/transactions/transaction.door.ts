// GET /v1/transactions/{id}, and its commit and rollback: how it stands, and the decision.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { mainListener } from '../../message/listener.js';
import { isMessageId } from '../../message/message-id.js';
import type { Verb } from '../../transaction/transaction-state.js';
import { Transactions, type TransactionView } from '../../transaction/transactions.js';
import { callerOf } from '../caller.js';
import { problemOf, sendProblem, sendThrottled } from '../messages/problem.js';
import { openV1Scope, refuseMethod, sendError } from '../messages/v1-scope.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { waitMsIn } from '../waiting-caller.js';
import { bodyOf } from './transaction-answer.js';
import { contraryOf, notThere, switchedOff } from './transaction-problems.js';
import { transactionsPath } from './transactions.door.js';

const path = `${transactionsPath}/:id`;
const ends: Readonly<Record<Verb, TransactionView['state']>> = { commit: 'committed', rollback: 'rolled-back' };

@Injectable()
export class TransactionDoor implements OnModuleInit {
  constructor(
    private readonly acl: Acl,
    private readonly transactions: Transactions,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      scope.route({
        method: 'GET',
        url: path,
        constraints: mainListener,
        handler: (request, reply) =>
          this.asCaller(request, reply, async (id, caller) => {
            const view = await this.transactions.find(id, caller.name);
            return view === null ? sendProblem(reply, notThere) : this.show(reply, view);
          }),
      });
      refuseOtherMethods(scope, path, ['GET', 'HEAD'], refuseMethod);
      for (const verb of ['commit', 'rollback'] as const) {
        const url = `${path}/${verb}`;
        scope.route({
          method: 'POST',
          url,
          constraints: mainListener,
          handler: (request, reply) =>
            this.asCaller(request, reply, (id, caller) => this.decide(request, reply, id, caller, verb)),
        });
        refuseOtherMethods(scope, url, ['POST'], refuseMethod);
      }
    });
  }

  /** Somebody else's transaction is answered as one that is not there. */
  private async asCaller(
    request: FastifyRequest,
    reply: FastifyReply,
    handle: (id: string, caller: AclEntry) => Promise<FastifyReply>,
  ): Promise<FastifyReply> {
    if (!this.transactions.isEnabled) return sendProblem(reply, switchedOff);
    const checked = callerOf(this.acl, request);
    const caller = checked instanceof Promise ? await checked : checked;
    if (caller === null) return sendProblem(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const throttle = caller.admit();
    if (throttle !== null) return sendThrottled(reply, throttle);
    const { id } = request.params as { id: string };
    try {
      return isMessageId(id) ? await handle(id, caller) : sendProblem(reply, notThere);
    } catch (error) {
      return sendError(reply, error);
    }
  }

  private async decide(
    { headers }: FastifyRequest,
    reply: FastifyReply,
    id: string,
    caller: AclEntry,
    verb: Verb,
  ): Promise<FastifyReply> {
    if (waitMsIn(headers.prefer) > 0) {
      const fault = { detail: 'nobody can wait here for what the receivers answer', header: 'prefer' };
      return sendProblem(reply, problemOf('invalid-request', '1 fault: see errors', [fault]));
    }
    const view = await this.transactions.decide(id, verb, caller.name);
    if (view === null) return sendProblem(reply, notThere);
    if (view.state === ends[verb]) return this.show(reply, view);
    return sendProblem(reply, contraryOf(view));
  }

  private async show(reply: FastifyReply, view: TransactionView): Promise<FastifyReply> {
    const messages = await this.transactions.messagesOf(view.id);
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .header('cache-control', 'no-store')
      .send(JSON.stringify(bodyOf(view, messages, this.clock.now())));
  }
}
