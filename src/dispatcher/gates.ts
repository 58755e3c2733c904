// The order in which the policies are asked before an attempt.
import { Injectable } from '@nestjs/common';
import { ConcurrencyPolicy } from '../policy/concurrency.policy.js';
import type { DispatchPolicy, Gate, GateScope, Hold, Pass } from '../policy/policy.js';
import { RateLimitPolicy } from '../policy/rate-limit.policy.js';

/** Passes of every gate, or the first hold. */
export type Leave = { readonly passes: readonly Pass[] } | { readonly hold: Hold };

@Injectable()
export class Gates {
  private readonly order: readonly DispatchPolicy[];

  constructor(concurrency: ConcurrencyPolicy, rate: RateLimitPolicy) {
    // What costs nothing to give back is asked first.
    this.order = [concurrency, rate];
  }

  open(scope: GateScope): GateRow {
    return new GateRow(this.order.map((policy) => policy.open(scope)));
  }
}

/** The gates of one scope, passed all or none. */
export class GateRow {
  constructor(private readonly gates: readonly Gate[]) {}

  enter(): Leave {
    const passes: Pass[] = [];
    for (const gate of this.gates) {
      const entry = gate.enter();
      if ('hold' in entry) {
        for (const pass of passes) pass.cancel();
        return entry;
      }
      passes.push(entry.pass);
    }
    return { passes };
  }
}
