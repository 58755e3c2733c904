// Where messages are fetched from: between the doors and the dispatcher, which do not know each other.
import { Module } from '@nestjs/common';
import { Mailboxes } from './mailboxes.js';
import { OtherNodes } from './other-nodes.js';
import { WholeGroup } from './whole-group.js';

@Module({ providers: [Mailboxes, OtherNodes, WholeGroup], exports: [Mailboxes, OtherNodes, WholeGroup] })
export class MailboxModule {}
