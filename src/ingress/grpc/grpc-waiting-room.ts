// Callers over gRPC that wait for the receiver's answer, as long as their call's deadline lets them.
import type { ServerUnaryCall } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { type Message, messageHeader } from '../../message/message.js';
import { Replies } from '../../reply/replies.js';
import { problemOf } from '../messages/problem.js';
import { WaitingCaller } from '../waiting-caller.js';
import { refusalOf } from './refusal.js';

@Injectable()
export class GrpcWaitingRoom {
  constructor(
    private readonly replies: Replies,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** The message that is to be stored notes where its reply is to go. Throws a refusal when nobody may wait now. */
  begin(
    message: Message,
    call: ServerUnaryCall<unknown, unknown>,
  ): { readonly message: Message; readonly waiting: WaitingCaller } {
    const { replies, clock } = this;
    const waitMs = this.waitMsOf(call.getDeadline());
    const expected = replies.expect(message.headers[messageHeader.id] as string, waitMs);
    if (expected === null) {
      throw refusalOf(problemOf('unavailable', 'no caller may wait now: too many do, or bigpipe is shutting down'));
    }
    const giveUp = () => expected.giveUp();
    call.once('cancelled', giveUp);
    if (call.cancelled) giveUp();
    const endMs = clock.elapsedMs() + waitMs;
    const waiting = new WaitingCaller(expected, {
      find: (id) => replies.find(id, Math.max(0, endMs - clock.elapsedMs())).catch(() => null),
      leave: () => {
        giveUp();
        call.removeListener('cancelled', giveUp);
      },
    });
    return {
      message: { ...message, headers: { ...message.headers, [messageHeader.replyTo]: replies.channel } },
      waiting,
    };
  }

  /** What is left, and never more than anybody may wait. */
  private waitMsOf(deadline: Date | number): number {
    const leftMs = Number(deadline) - this.clock.now();
    return Math.max(0, Math.min(leftMs, this.configWatch.settings.reply.maxWaitMs));
  }
}
