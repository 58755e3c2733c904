// Do the workers take calls, where the doors are in processes of their own?
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

/** A worker, as the operator sees it. */
interface SeenWorker {
  readonly state: string;
}

@Injectable()
export class WorkersIndicator {
  private read: (() => readonly SeenWorker[]) | null = null;
  private isNeeded = true;

  constructor(private readonly indicators: HealthIndicatorService) {}

  /** Told once, by the process that has workers, and whether it takes calls without them too. */
  watch(read: () => readonly SeenWorker[], takesCallsItself: boolean): void {
    this.read = read;
    this.isNeeded = !takesCallsItself;
  }

  /** Up while somebody takes calls; nothing where there are no workers. */
  check(): HealthIndicatorResult {
    if (this.read === null) return {};
    const list = this.read();
    const indicator = this.indicators.check('workers');
    const isUp = !this.isNeeded || list.some(({ state }) => state === 'serving');
    return isUp ? indicator.up({ list }) : indicator.down({ list });
  }
}
