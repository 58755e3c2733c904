// POST /v1/subscriptions/{group}/ack, /nack, /extend: how it went with messages that were fetched.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { mainListener } from '../../message/listener.js';
import type { LeaseFault, Mailbox } from '../../target/mailbox/mailbox.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import { pointerOf } from '../messages/json-form.js';
import { type Problem, problemOf, sendProblem } from '../messages/problem.js';
import { openV1Scope, refuseMethod } from '../messages/v1-scope.js';
import { refuseOtherMethods } from '../raw-scope.js';
import { groupPath } from './pull.door.js';
import { readAck, readExtend, readNack } from './pull-form.js';
import { PullRoom, readBodyAs } from './pull-room.js';

/** What is done with each of some leases. */
interface Errand {
  readonly leases: readonly string[];
  readonly done: (mailbox: Mailbox, lease: string, caller: string) => LeaseFault | null;
}

/** By the last part of the path. */
const errands: Readonly<Record<string, (request: FastifyRequest) => Errand | Problem>> = {
  ack: (request) => {
    const leases = readBodyAs(request, readAck);
    return 'code' in leases ? leases : { leases, done: (mailbox, lease, caller) => mailbox.ack(lease, caller) };
  },
  nack: (request) => {
    const nack = readBodyAs(request, readNack);
    if ('code' in nack) return nack;
    return { leases: nack.leases, done: (mailbox, lease, caller) => mailbox.nack(lease, caller, nack) };
  },
  extend: (request) => {
    const wish = readBodyAs(request, readExtend);
    if ('code' in wish) return wish;
    const { leases, leaseMs } = wish;
    return { leases, done: (mailbox, lease, caller) => mailbox.extend(lease, caller, leaseMs) };
  },
};

@Injectable()
export class LeasesDoor implements OnModuleInit {
  constructor(
    private readonly room: PullRoom,
    private readonly mailboxes: Mailboxes,
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
    const mailbox = this.mailboxes.of(guest.group);
    const faults = errand.leases.flatMap((lease, i) => {
      const fault = errand.done(mailbox, lease, guest.caller.name);
      return fault === null ? [] : [{ i, lease, ...fault }];
    });
    const done = errand.leases.length - faults.length;
    if (done === 0) {
      const errors = faults.map(({ i, detail }) => ({ detail, pointer: pointerOf('leases', `${i}`) }));
      return sendProblem(reply, problemOf('lease-lost', 'none of the leases is this caller’s now', errors));
    }
    const failed = faults.map(({ lease, code, detail }) => ({ lease, code, detail }));
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify({ done, ...(failed.length === 0 ? {} : { failed }) }));
  }
}
