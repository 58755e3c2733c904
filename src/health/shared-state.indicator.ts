// Can the nodes hear of one another? Without it calls are taken and delivered all the same, each node by itself.
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

/** The state, as the operator sees it. */
interface SeenState {
  readonly ok: boolean;
  readonly detail: string;
}

@Injectable()
export class SharedStateIndicator {
  private read: () => SeenState | null = () => null;

  constructor(private readonly indicators: HealthIndicatorService) {}

  /** Told once, by the program that has it open. */
  watch(read: () => SeenState): void {
    this.read = read;
  }

  /** Always up: nothing is refused for the want of it. */
  check(): HealthIndicatorResult {
    const seen = this.read();
    if (seen === null) return {};
    const { ok, detail } = seen;
    return this.indicators.check('sharedState').up(ok ? { detail } : { detail: `degraded: ${detail}` });
  }
}
