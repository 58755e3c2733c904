// The targets there are.
import { Module } from '@nestjs/common';
import { HttpTarget } from './http/http.target.js';
import { MailboxModule } from './mailbox/mailbox.module.js';
import { MailboxTarget } from './mailbox/mailbox.target.js';
import { Target } from './target.js';
import { Targets } from './targets.js';

@Module({
  imports: [MailboxModule],
  providers: [HttpTarget, MailboxTarget, { provide: Target, useClass: Targets }],
  exports: [Target],
})
export class TargetModule {}
