// At most so many requests in flight at the same moment.
import { Injectable } from '@nestjs/common';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { DispatchPolicy, type Entry, Gate, type GateScope, type Pass } from './policy.js';

@Injectable()
export class ConcurrencyPolicy extends DispatchPolicy {
  override readonly name = 'concurrency';

  override open(scope: GateScope): Gate {
    return new ConcurrencyGate(scope);
  }
}

class ConcurrencyGate extends Gate {
  private inFlight = 0;
  private limit: number;
  private readonly pass: Pass;

  constructor({ subscription, wake }: GateScope) {
    super();
    this.limit = subscription.concurrency;
    this.pass = {
      settle: () => {
        this.inFlight -= 1;
        wake();
      },
      // Whoever gives an unused pass back is asking right now, and knows.
      cancel: () => {
        this.inFlight -= 1;
      },
    };
  }

  override enter(): Entry {
    if (this.inFlight >= this.limit) return { hold: { reason: 'concurrency', untilMs: null } };
    this.inFlight += 1;
    return { pass: this.pass };
  }

  override adjust({ concurrency }: SubscriptionSettings): void {
    this.limit = concurrency;
  }
}
