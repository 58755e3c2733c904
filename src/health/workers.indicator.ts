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

  constructor(private readonly indicators: HealthIndicatorService) {}

  /** Told once, by the process that has workers. */
  watch(read: () => readonly SeenWorker[]): void {
    this.read = read;
  }

  /** Up while one of them takes calls; nothing where there are none. */
  check(): HealthIndicatorResult {
    if (this.read === null) return {};
    const list = this.read();
    const indicator = this.indicators.check('workers');
    return list.some(({ state }) => state === 'serving') ? indicator.up({ list }) : indicator.down({ list });
  }
}
