// The curves of the last quarter of an hour, so that a page that is opened sees what led to now.
import type { BacklogCounts } from '../dispatcher/view/backlog.js';
import type { Sample } from './sampler.js';

/** One point a second. */
const points = 900;

/** Columns of one length, the oldest first. */
export type Curves = Readonly<Record<string, readonly (number | null)[]>>;

/** Memory: 24 numbers a point. */
export class History {
  private readonly rows: (readonly (number | null)[])[] = [];
  private names: readonly string[] = [];

  add(sample: Sample): void {
    const point = pointOf(sample);
    this.names = Object.keys(point);
    this.rows.push(Object.values(point));
    if (this.rows.length > points) this.rows.shift();
  }

  get curves(): Curves {
    return Object.fromEntries(this.names.map((name, i) => [name, this.rows.map((row) => row[i] ?? null)]));
  }
}

/** What the page draws of a sample; the page takes the same from each that follows. */
function pointOf({ at, total }: Sample): Readonly<Record<string, number | null>> {
  const { backlog, delivery, attempt } = total;
  const reasons = Object.entries(backlog as BacklogCounts).map(([reason, count]) => [`backlog ${reason}`, count]);
  return {
    at: Math.round(at / 1000),
    arrived: Math.round(total.arrivedPerSecond),
    delivered: Math.round(total.deliveredPerSecond),
    failed: Math.round(total.failedPerSecond),
    p50: delivery.p50,
    p99: delivery.p99,
    attemptP99: attempt.p99,
    deadLetters: total.deadLetters,
    ...(Object.fromEntries(reasons) as Record<string, number>),
  };
}
