// POST /v1/subscriptions/{group}/ack, /nack, /extend: how it went with messages that were fetched.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { mainListener } from '../../message/listener.js';
import type { LeaseFault } from '../../target/mailbox/mailbox.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import { ackErrand, type Errand, nackErrand, WholeGroup } from '../../target/mailbox/whole-group.js';
import { pointerOf } from '../messages/json-form.js';
import { type Problem, problemOf, sendProblem } from '../messages/problem.js';
import { openV1Scope, refuseMethod } from '../messages/v1-scope.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { groupPath } from './pull.door.js';
import { readAck, readExtend, readNack } from './pull-form.js';
import { type Guest, PullRoom, readBodyAs } from './pull-room.js';

/** By the last part of the path. */
const errands: Readonly<Record<string, (request: FastifyRequest) => Errand | Problem>> = {
  ack: (request) => {
    const leases = readBodyAs(request, readAck);
    return 'code' in leases ? leases : ackErrand(leases);
  },
  nack: (request) => {
    const nack = readBodyAs(request, readNack);
    if ('code' in nack) return nack;
    return nackErrand(nack.leases, nack);
  },
  extend: (request) => {
    const wish = readBodyAs(request, readExtend);
    if ('code' in wish) return wish;
    const { leases, leaseMs } = wish;
    const here: Errand['here'] = (mailbox, lease, caller) => mailbox.extend(lease, caller, leaseMs);
    return { leases, verb: 'extend', form: { leaseSeconds: leaseMs / 1000 }, here };
  },
};

@Injectable()
export class LeasesDoor implements OnModuleInit {
  constructor(
    private readonly room: PullRoom,
    private readonly mailboxes: Mailboxes,
    private readonly wholeGroup: WholeGroup,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      for (const [name, read] of Object.entries(errands)) {
        const path = `${groupPath}/${name}`;
        scope.route({
          method: 'POST',
          url: path,
          constraints: mainListener,
          handler: (request, reply) => this.run(request, reply, read),
        });
        refuseOtherMethods(scope, path, ['POST'], refuseMethod);
      }
    });
  }

  /** Counted under nobody's rate: who cannot ack gets it all again. */
  private async run(
    request: FastifyRequest,
    reply: FastifyReply,
    read: (request: FastifyRequest) => Errand | Problem,
  ): Promise<FastifyReply> {
    const guest = await this.room.enter(request);
    if ('code' in guest) return sendProblem(reply, guest);
    const errand = read(request);
    if ('code' in errand) return sendProblem(reply, errand);
    const found = await this.settle(guest, errand);
    const faults = found.flatMap((fault, i) => {
      const lease = errand.leases[i] as string;
      return fault === null ? [] : [{ i, lease, ...fault }];
    });
    const done = errand.leases.length - faults.length;
    if (done === 0 && !guest.isNode) {
      const errors = faults.map(({ i, detail }) => ({ detail, pointer: pointerOf('leases', `${i}`) }));
      const isUnreached = faults.some(({ code }) => code === 'unreachable');
      const problem = isUnreached
        ? problemOf(
            'owner-unreachable',
            'none of the leases was done with, and the node that has some gives no answer',
            errors,
          )
        : problemOf('lease-lost', 'none of the leases is this caller’s now', errors);
      return sendProblem(reply, problem);
    }
    const failed = faults.map(({ lease, code, detail }) => ({ lease, code, detail }));
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify({ done, ...(failed.length === 0 ? {} : { failed }) }));
  }
  /** In the order of the leases. Another node asks only for what is here. */
  private async settle({ group, caller, isNode }: Guest, errand: Errand): Promise<readonly (LeaseFault | null)[]> {
    if (!isNode) return this.wholeGroup.settle(group, caller.name, errand);
    const mailbox = this.mailboxes.of(group);
    return errand.leases.map((lease) => errand.here(mailbox, lease, caller.name));
  }
}
