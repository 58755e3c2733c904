// Each delivery to its target: whoever fetches it, or what its URL asks for, HTTP or gRPC.
import { Injectable } from '@nestjs/common';
import { schemeOf } from '../message/call-url.js';
import type { Delivery } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';
import { GrpcTarget } from './grpc/grpc.target.js';
import { HttpTarget } from './http/http.target.js';
import { MailboxTarget } from './mailbox/mailbox.target.js';
import { type ConsentQuestion, type ConsentReply, Target } from './target.js';

@Injectable()
export class TargetByScheme extends Target {
  constructor(
    private readonly http: HttpTarget,
    private readonly grpc: GrpcTarget,
    private readonly mailbox: MailboxTarget,
  ) {
    super();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    if (delivery.mailbox !== null) return this.mailbox.send(delivery, signal);
    const isGrpc = schemeOf(delivery.url.origin).startsWith('grpc');
    return (isGrpc ? this.grpc : this.http).send(delivery, signal);
  }

  override ask(question: ConsentQuestion, signal: AbortSignal): Promise<ConsentReply> {
    const isGrpc = schemeOf(question.url.origin).startsWith('grpc');
    return (isGrpc ? this.grpc : this.http).ask(question, signal);
  }

  override async close(): Promise<void> {
    await Promise.all([this.http.close(), this.grpc.close(), this.mailbox.close()]);
  }
}
