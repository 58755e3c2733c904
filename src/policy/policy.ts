// THE PORT: what may hold a delivery back before an attempt.
import type { SubscriptionSettings } from '../config-watch/settings.js';
import type { Outcome } from '../message/outcome.js';

/** Whose attempts a gate lets through. */
export interface GateScope {
  readonly subscription: SubscriptionSettings;
  /** Called when a gate that held somebody back without naming a time may let him through now. */
  readonly wake: () => void;
}

/** Why an attempt has to wait. */
export interface Hold {
  readonly reason: string;
  /** Clock.elapsedMs() from which asking again makes sense; null: the gate will call `wake`. */
  readonly untilMs: number | null;
}

/** Leave for one attempt; exactly one of the two is called, once. */
export interface Pass {
  /** The attempt has ended. */
  settle(outcome: Outcome): void;
  /** The attempt does not take place after all: what was taken is given back. */
  cancel(): void;
}

export type Entry = { readonly pass: Pass } | { readonly hold: Hold };

/** The running instance of a policy. Its counters outlive every change of settings. */
export abstract class Gate {
  abstract enter(): Entry;
  /** New settings for the same scope, from now on. */
  abstract adjust(subscription: SubscriptionSettings): void;
}

export abstract class DispatchPolicy {
  abstract readonly name: string;
  abstract open(scope: GateScope): Gate;
}
