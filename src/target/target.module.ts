// The targets there are, each by its URL's scheme.
import { Module } from '@nestjs/common';
import { GrpcTarget } from './grpc/grpc.target.js';
import { HttpTarget } from './http/http.target.js';
import { MailboxModule } from './mailbox/mailbox.module.js';
import { MailboxTarget } from './mailbox/mailbox.target.js';
import { Target } from './target.js';
import { TargetByScheme } from './target-by-scheme.js';

@Module({
  imports: [MailboxModule],
  providers: [GrpcTarget, HttpTarget, MailboxTarget, { provide: Target, useClass: TargetByScheme }],
  exports: [Target],
})
export class TargetModule {}
