// What one subscription knows of one destination: what is ready to go there, what is on its way, and why the rest waits.
import type { DestinationSettings } from '../../config-watch/settings.js';
import { Link } from '../../message/linked-set.js';
import type { Hold } from '../../policy/policy.js';
import { SecondCounts } from '../../policy/second-counts.js';
import type { Row } from '../gates.js';
import type { Work } from '../window/partition-window.js';
import { Turn } from './fair-queue.js';
import { WorkQueue } from './work-queue.js';

/** Progress is measured over so many seconds, and not judged before one has passed. */
const progressSeconds = 5;
const graceMs = 1000;
/** Who needs longer than this for what waits is slow. */
const slowSeconds = 2;

export class Destination {
  /** Ready deliveries; each kind in the order in which it became ready. */
  readonly firsts = new WorkQueue<Work>();
  readonly retries = new WorkQueue<Work>();
  inFlight = 0;
  /** Ready, on its way, or waiting for a retry. While there are any, it is not forgotten. */
  pending = 0;
  /** Of these, retries that wait long: they say nothing of those behind. */
  held = 0;
  /** Why nothing may go there now; null when nobody has said so. */
  hold: Hold | null = null;
  /** Why the ready retries wait while first attempts go on. */
  retriesHold: Hold | null = null;
  /** When its own rate held somebody back last. */
  rateHeldMs = Number.NEGATIVE_INFINITY;
  /** The period of the table in which it was used last. */
  usedIn = Number.NEGATIVE_INFINITY;

  /** Its places among those that nothing waits for, and among those that may be sent to. */
  readonly link = new Link<Destination>(this);
  readonly turn = new Turn<Destination>(this);

  private busySinceMs: number;
  /** Deliveries that ended for good, and attempts that failed. */
  private readonly progress: SecondCounts;

  constructor(
    readonly name: string,
    public settings: DestinationSettings,
    readonly row: Row,
    /** Under which it stands among the metrics. */
    readonly label: string,
    nowMs: number,
  ) {
    this.busySinceMs = nowMs;
    this.progress = new SecondCounts(progressSeconds, nowMs);
  }

  /** The first of its deliveries after a pause. */
  becameBusy(nowMs: number): void {
    this.busySinceMs = nowMs;
  }

  deliveryEnded(nowMs: number): void {
    this.progress.add(1, 0, nowMs);
  }

  attemptFailed(nowMs: number): void {
    this.progress.add(0, 1, nowMs);
  }

  /**
   * True when its messages wait although the subscription could send (it holds them itself, or none is ready), or would
   * wait if it could (more attempts fail than deliveries end), and at its present pace that will last.
   */
  standsStill(nowMs: number): boolean {
    // What nobody fetches is not in anybody's way: it stays where it is until somebody comes.
    if (this.hold?.reason === 'pull') return false;
    const [ended, failed] = this.progress.totals(nowMs);
    if (this.hold === null && this.ready > 0 && failed <= ended) return false;
    const busySeconds = Math.min(progressSeconds, (nowMs - this.busySinceMs) / 1000);
    if (busySeconds * 1000 < graceMs) return false;
    return (this.pending - this.held) * busySeconds > slowSeconds * ended;
  }

  /** Deliveries that ended, a second, over the last few. */
  endedPerSecond(nowMs: number): number {
    return this.progress.totals(nowMs)[0] / progressSeconds;
  }

  /** Attempts that failed. */
  failedPerSecond(nowMs: number): number {
    return this.progress.totals(nowMs)[1] / progressSeconds;
  }

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
