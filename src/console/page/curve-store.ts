// The curves as the page has them: what came at the start, and a point for each sample since; pure.
import type { Sample } from './answers.js';
import { reasons, waiting } from './reasons.js';

type Columns = Readonly<Record<string, readonly (number | null)[]>>;

/** A quarter of an hour, as the listener keeps it. */
const points = 900;
const minute = 60;

export class CurveStore {
  private all: Record<string, (number | null)[]> = { at: [] };

  get columns(): Columns {
    return this.all;
  }

  begin(columns: Columns): void {
    this.all = Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, [...values]]));
    this.all['at'] ??= [];
  }

  add(sample: Sample): void {
    const { total } = sample;
    const at = Math.round(sample.at / 1000);
    const known = (this.all['at'] as (number | null)[]).length;
    // The first one after the start is the last one of it.
    if ((this.all['at']?.at(-1) ?? 0) >= at) return;
    const point: Record<string, number | null> = {
      at,
      arrived: total.arrivedPerSecond,
      delivered: total.deliveredPerSecond,
      failed: total.failedPerSecond,
      p50: total.delivery.p50,
      p99: total.delivery.p99,
      attemptP99: total.attempt.p99,
      deadLetters: total.deadLetters,
    };
    for (const { name } of reasons) point[`backlog ${name}`] = total.backlog[name] ?? 0;
    for (const [name, value] of Object.entries(point)) {
      const column = this.all[name] ?? Array.from({ length: known }, () => null);
      this.all[name] = column;
      column.push(value);
      if (column.length > points) column.shift();
    }
  }

  /** How many waited; null when that is not known. */
  get waitedAMinuteAgo(): number | null {
    const at = this.all['at'] ?? [];
    if (at.length <= minute) return null;
    const index = at.length - 1 - minute;
    const backlog = Object.fromEntries(reasons.map(({ name }) => [name, this.all[`backlog ${name}`]?.[index] ?? 0]));
    return waiting(backlog) - (backlog['delayed'] ?? 0);
  }
}
