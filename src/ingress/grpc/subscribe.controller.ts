// Subscribe: a group's messages over a stream, for receivers without a URL.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcStreamCall } from '@nestjs/microservices';
import { Clock } from '../../message/clock.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';
import { WholeGroup } from '../../target/mailbox/whole-group.js';
import { PullRoom } from '../pull/pull-room.js';
import { Closing } from './closing.js';
import { GrpcCaller } from './grpc-caller.js';
import { type SubscribeRequest, type SubscribeResponse, serviceName } from './protos.js';
import { SubscribeStream } from './subscribe-stream.js';

@Controller()
export class SubscribeController {
  constructor(
    private readonly callers: GrpcCaller,
    private readonly room: PullRoom,
    private readonly mailboxes: Mailboxes,
    private readonly wholeGroup: WholeGroup,
    private readonly clock: Clock,
    private readonly closing: Closing,
  ) {}

  /** Never throws: Nest lets nobody hear of it. */
  @GrpcStreamCall(serviceName, 'Subscribe')
  subscribe(call: ServerDuplexStream<SubscribeRequest, SubscribeResponse>): void {
    const { callers, room, mailboxes, wholeGroup, clock, closing } = this;
    new SubscribeStream(call, {
      callerOf: () => callers.find(call),
      against: (caller, group) => room.against(caller, group) ?? room.outOfReach(group),
      leaseMsOf: (group) => mailboxes.view(group)?.leaseMs ?? 0,
      wholeGroup,
      clock,
      enter: (group) => mailboxes.enter(group),
      closing,
    }).start();
  }
}
