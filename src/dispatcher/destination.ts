// What one subscription knows of one destination: what is ready to go there, what is on its way, and why the rest waits.
import type { DestinationSettings } from '../config-watch/settings.js';
import type { Hold } from '../policy/policy.js';
import type { GateRow } from './gates.js';
import type { Work } from './partition-window.js';
import { WorkQueue } from './work-queue.js';

export class Destination {
  /** Ready deliveries; each kind in the order in which it became ready. */
  readonly firsts = new WorkQueue<Work>();
  readonly retries = new WorkQueue<Work>();
  inFlight = 0;
  /** Ready, on its way, or waiting for a retry. While there are any, it is not forgotten. */
  pending = 0;
  /** Why nothing may go there now; null when nobody has said so. */
  hold: Hold | null = null;
  /** Why the ready retries wait while first attempts go on. */
  retriesHold: Hold | null = null;
  /** The period of the table in which it was used last. */
  usedIn = Number.NEGATIVE_INFINITY;

  constructor(
    readonly name: string,
    readonly settings: DestinationSettings,
    readonly row: GateRow,
  ) {}

  get ready(): number {
    return this.firsts.length + this.retries.length;
  }

  push(work: Work): void {
    (work.delivery.attempt > 1 ? this.retries : this.firsts).push(work);
  }

  /** Takes out what goes another way. */
  withdraw(works: ReadonlySet<Work>): void {
    this.firsts.withdraw(works);
    this.retries.withdraw(works);
  }

  clear(): void {
    this.firsts.clear();
    this.retries.clear();
  }
}
