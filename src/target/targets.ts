// Each delivery to its target: to its URL, or to whoever fetches it.
import { Injectable } from '@nestjs/common';
import type { Delivery } from '../message/delivery.js';
import type { Outcome } from '../message/outcome.js';
import { HttpTarget } from './http/http.target.js';
import { MailboxTarget } from './mailbox/mailbox.target.js';
import { Target } from './target.js';

@Injectable()
export class Targets extends Target {
  constructor(
    private readonly http: HttpTarget,
    private readonly mailbox: MailboxTarget,
  ) {
    super();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    return (delivery.mailbox === null ? this.http : this.mailbox).send(delivery, signal);
  }

  override async close(): Promise<void> {
    await Promise.all([this.http.close(), this.mailbox.close()]);
  }
}
