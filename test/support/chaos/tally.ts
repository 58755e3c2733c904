// The figures of a run, and what must never have been: counted, with the first examples.

export const faultKinds = ['early', 'late', 'overlap', 'unnamed', 'changed', 'foreign', 'crash-without-kill'] as const;
export type FaultKind = (typeof faultKinds)[number];

const keptExamples = 20;

export class Tally {
  accepted = 0;
  refused = 0;
  /** Calls that got no answer. */
  unknown = 0;
  arrived = 0;
  /** Calls that were answered 2xx at least once. */
  delivered = 0;
  /** Further 2xx answers, by what bigpipe said about them. */
  readonly duplicates = new Map<string, number>();
  readonly refusals = new Map<string, number>();
  /** How long before the kill those were delivered that came again as `crash`: the longest. */
  oldestCrashRepeatMs = 0;
  longestStallMs = 0;
  readonly examples: string[] = [];
  private readonly faults = new Map<FaultKind, number>();
  private progressMs = 0;

  count(kind: FaultKind): number {
    return this.faults.get(kind) ?? 0;
  }

  fault(kind: FaultKind, text: string): void {
    this.faults.set(kind, this.count(kind) + 1);
    if (this.examples.length < keptExamples) this.examples.push(`${kind}: ${text}`);
  }

  refuse(why: string): void {
    this.refused += 1;
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
  }

  repeat(cause: string): void {
    this.duplicates.set(cause, (this.duplicates.get(cause) ?? 0) + 1);
  }

  crashRepeat(beforeKillMs: number): void {
    this.oldestCrashRepeatMs = Math.max(this.oldestCrashRepeatMs, beforeKillMs);
  }

  /** From now on there is something to deliver, or somebody who does it. */
  restart(nowMs: number): void {
    this.progressMs = nowMs;
  }

  progress(nowMs: number): void {
    this.longestStallMs = Math.max(this.longestStallMs, nowMs - this.progressMs);
    this.progressMs = nowMs;
  }
}
