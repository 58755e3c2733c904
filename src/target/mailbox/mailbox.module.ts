// Where messages are fetched from: between the doors and the dispatcher, which do not know each other.
import { Module } from '@nestjs/common';
import { Mailboxes } from './mailboxes.js';

@Module({ providers: [Mailboxes], exports: [Mailboxes] })
export class MailboxModule {}
