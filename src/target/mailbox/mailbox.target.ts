// A delivery to whoever fetches it: an attempt is a lease, from the moment in which somebody wants a message.
import { Injectable } from '@nestjs/common';
import type { Delivery } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import { Target } from '../target.js';
import { Mailboxes } from './mailboxes.js';

@Injectable()
export class MailboxTarget extends Target {
  constructor(private readonly mailboxes: Mailboxes) {
    super();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    return this.mailboxes.of(delivery.mailbox as string).give(delivery, signal);
  }

  override async close(): Promise<void> {}
}
