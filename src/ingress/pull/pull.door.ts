// POST /v1/subscriptions/{group}/pull: some of the group's messages, as soon as there are any.
import { Socket } from 'node:net';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { mainListener } from '../../message/listener.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import type { PullOrder } from '../../target/mailbox/pull.js';
import { type Fetched, WholeGroup } from '../../target/mailbox/whole-group.js';
import { sendProblem, sendThrottled } from '../messages/problem.js';
import { openV1Scope, refuseMethod, sendError } from '../messages/v1-scope.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { stayOpen } from '../waiting-caller.js';
import { readPull } from './pull-form.js';
import { type Guest, PullRoom, readBodyAs } from './pull-room.js';
import { pulledMessage } from './pulled-message.js';

export const groupPath = '/v1/subscriptions/:group';
const path = `${groupPath}/pull`;

/** At once: he never had it. */
const notReceived = { waitMs: 0, isRejected: false, detail: 'whoever fetched it was gone before the answer' };

@Injectable()
export class PullDoor implements OnModuleInit {
  constructor(
    private readonly room: PullRoom,
    private readonly mailboxes: Mailboxes,
    private readonly wholeGroup: WholeGroup,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      scope.route({
        method: 'POST',
        url: path,
        constraints: mainListener,
        handler: (request, reply) => this.pull(request, reply),
      });
      refuseOtherMethods(scope, path, ['POST'], refuseMethod);
    });
  }

  private async pull(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const guest = await this.room.enter(request);
    if ('code' in guest) return sendProblem(reply, guest);
    const { caller, group, isNode } = guest;
    // The node that asks for him has counted it.
    const throttle = isNode ? null : caller.admit();
    if (throttle !== null) return sendThrottled(reply, throttle);
    const order = readBodyAs(request, (json, faults) => readPull(json, caller.name, faults));
    if ('code' in order) return sendProblem(reply, order);
    const outOfReach = isNode ? null : await this.room.outOfReach(group);
    if (outOfReach !== null) return sendProblem(reply, outOfReach);
    try {
      const { leases, ...there } = await this.wait(request, reply, guest, order);
      return reply
        .header('content-type', 'application/json; charset=utf-8')
        .header('cache-control', 'no-store')
        .send('answer' in there ? there.answer : JSON.stringify({ messages: (leases ?? []).map(pulledMessage) }));
    } catch (error) {
      return sendError(reply, error);
    }
  }

  /** What he cannot get any more goes on to somebody else. Of whoever came in at a worker the worker knows it. */
  private async wait(
    { raw: { socket } }: FastifyRequest,
    { raw: answer }: FastifyReply,
    guest: Guest,
    order: PullOrder,
  ): Promise<Fetched> {
    const gone = new AbortController();
    if (!(socket instanceof Socket)) return this.fetch(guest, order, gone.signal);
    const leave = stayOpen(socket);
    let fetched: Fetched = { leases: [] };
    answer.once('close', () => {
      gone.abort();
      if (!answer.writableFinished) this.giveBack(guest, fetched);
    });
    try {
      fetched = await this.fetch(guest, order, gone.signal);
      if (gone.signal.aborted) this.giveBack(guest, fetched);
      return fetched;
    } finally {
      leave();
    }
  }

  /** Another node gets what is here. */
  private async fetch({ group, isNode }: Guest, order: PullOrder, gone: AbortSignal): Promise<Fetched> {
    if (isNode) return { leases: await this.mailboxes.pull(group, order, gone) };
    return this.wholeGroup.pull(group, order, gone);
  }

  private giveBack({ group, caller }: Guest, fetched: Fetched): void {
    if (fetched.leases === undefined) this.wholeGroup.giveBack(group, caller.name, fetched, notReceived.detail);
    else for (const lease of fetched.leases) lease.nack(notReceived);
  }
}
