// THE PORT: what may hold a delivery back before an attempt.
import type { DestinationSettings, SubscriptionSettings } from '../config-watch/settings.js';
import type { CallUrl } from '../message/call-url.js';
import type { Outcome } from '../message/outcome.js';

/** The settings that a gate goes by; they may change while it works. */
export interface GateSettings {
  readonly subscription: SubscriptionSettings;
  /** null: the gate stands before all of the subscription's attempts. */
  readonly destination: DestinationSettings | null;
}

/** Whose attempts a gate lets through. */
export interface GateScope extends GateSettings {
  /** The destination's name, null for the subscription itself. */
  readonly name: string | null;
  /** True when the subscription has delivered to other destinations of late. */
  readonly hasPeers: () => boolean;
  /** The part of the topic's partitions that is this node's, from 0 to 1; all of them where it is not told. */
  readonly share?: () => number;
  /** Set where the subscription names the receiver that these attempts go to. */
  readonly receiver?: CallUrl | null;
  /** Called when a gate that held somebody back may let him through earlier than it said. */
  readonly wake: () => void;
}

/** Which attempt asks. */
export interface Candidate {
  readonly isRetry: boolean;
  /** A first attempt to the same destination waits as well. */
  readonly firstsWait: boolean;
}

export const holdReasons = [
  'pause',
  'pull',
  'rate',
  'concurrency',
  'circuit',
  'budget',
  'retry-after',
  'warm-up',
  'no-endpoint',
  'consent',
] as const;
export type HoldReason = (typeof holdReasons)[number];

/** Why an attempt has to wait. */
export interface Hold {
  readonly reason: HoldReason;
  /** Clock.elapsedMs() from which asking again makes sense; null: the gate will call `wake`. */
  readonly untilMs: number | null;
  /** For whoever asks why, in a sentence's part: "5 of 5 in flight". */
  readonly detail: string;
}

/** Leave for one attempt; exactly one of the two is called, once. */
export interface Pass {
  /** The attempt has ended. */
  settle(outcome: Outcome): void;
  /** The attempt does not take place after all: what was taken is given back. */
  cancel(): void;
}

export type Entry = { readonly pass: Pass } | Held;

export interface Held {
  readonly hold: Hold;
  /** Takes over the leave that the gates before it gave, for a request of the gate's own; without it that is given back. */
  readonly takeOver?: (passes: readonly Pass[]) => void;
}

/** What a gate says of itself to /stats: its state in a word, and why and until when. */
export interface GateState {
  readonly state: string;
  readonly reason: string;
  readonly sinceMs: number;
  /** Clock.elapsedMs(); null when nothing changes by time alone. */
  readonly nextChangeMs: number | null;
  /** Attempts a second that are let through now, and at the end; absent while nothing grows. */
  readonly growth?: { readonly perSecond: number; readonly fullPerSecond: number };
}

/** What the gates of one destination tell to /metrics, as far as there are such gates. */
export interface GateFigures {
  circuit: 'closed' | 'open' | 'recovering';
  /** Of the full rate, what the circuit lets through now. */
  admittedShare: number;
  /** Attempts that may be in flight; null for no limit. */
  concurrencyLimit: number | null;
  /** Of the retries that the budget allows, those that were made; 1 and more: it is used up. */
  budgetUsed: number;
}

export const quietFigures = (): GateFigures => ({
  circuit: 'closed',
  admittedShare: 1,
  concurrencyLimit: null,
  budgetUsed: 0,
});

/** The running instance of a policy. Its counters outlive every change of settings. */
export abstract class Gate {
  abstract enter(candidate: Candidate): Entry;
  /** New settings for the same scope, from now on; wakes whoever may go earlier than he was told. */
  abstract adjust(settings: GateSettings): void;
  /** True when a new gate of the same settings would let through the same: it may be forgotten. */
  abstract isAtRest(): boolean;
  /** null while there is nothing that people should know. */
  state(): GateState | null {
    return null;
  }
  /** Writes its own figures over the quiet ones. */
  figures(_into: GateFigures): void {}
  /** Lets go of its timers; nobody enters any more. */
  close(): void {}
}

export abstract class DispatchPolicy {
  abstract open(scope: GateScope): Gate;
}

/** For gates that have nothing to remember of an attempt. */
export const ignore = (): void => undefined;
export const freePass: Pass = { settle: ignore, cancel: ignore };
export const free: Entry = { pass: freePass };

/** The lowest rate that a scope's attempts are under. */
export function lowestRate({ subscription, destination }: GateSettings): { perSecond: number; burst: number } {
  const own = destination?.rate ?? null;
  return own !== null && own.perSecond < subscription.rate.perSecond ? own : subscription.rate;
}
