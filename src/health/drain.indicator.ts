// Does this process still take calls, or is it finishing?
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

@Injectable()
export class DrainIndicator {
  private draining = false;

  constructor(private readonly indicators: HealthIndicatorService) {}

  /** From here on the process is not ready. */
  drain(): void {
    this.draining = true;
  }

  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('drain');
    return this.draining ? indicator.down({ detail: 'draining' }) : indicator.up();
  }
}
