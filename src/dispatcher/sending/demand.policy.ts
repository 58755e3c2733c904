// An attempt with a message that is fetched begins only while somebody wants one.
import { Injectable } from '@nestjs/common';
import { mailboxUrl } from '../../message/delivery.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  free,
  Gate,
  type GateScope,
  ignore,
  type Pass,
} from '../../policy/policy.js';
import type { Mailbox } from '../../target/mailbox/mailbox.js';
import { Mailboxes } from '../../target/mailbox/mailboxes.js';

@Injectable()
export class DemandPolicy extends DispatchPolicy {
  constructor(private readonly mailboxes: Mailboxes) {
    super();
  }

  override open(scope: GateScope): Gate {
    const { groupId } = scope.subscription;
    const isFetched = scope.name === mailboxUrl.origin;
    return isFetched ? new DemandGate(this.mailboxes.of(groupId), scope.wake) : new PushGate();
  }
}

class DemandGate extends Gate {
  private readonly unlisten: () => void;
  private readonly entry: { readonly pass: Pass };

  constructor(
    private readonly mailbox: Mailbox,
    wake: () => void,
  ) {
    super();
    this.unlisten = mailbox.listen(wake);
    // What was promised is kept by the mailbox's target as the attempt begins.
    this.entry = { pass: { settle: ignore, cancel: () => mailbox.giveBack() } };
  }

  override enter(_candidate: Candidate): Entry {
    if (this.mailbox.promise()) return this.entry;
    return { hold: { reason: 'pull', untilMs: null, detail: 'nobody asks for messages' } };
  }

  override isAtRest(): boolean {
    return true;
  }

  override adjust(): void {}

  override close(): void {
    this.unlisten();
  }
}

class PushGate extends Gate {
  override enter(_candidate: Candidate): Entry {
    return free;
  }

  override isAtRest(): boolean {
    return true;
  }

  override adjust(): void {}
}
