// Is what the configuration says in force? A refused file degrades nothing but the configuration: calls are taken all the same.
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConfigWatch } from '../config-watch/config-watch.js';

/** The whole list is in GET /config. */
const shownFaults = 10;

@Injectable()
export class ConfigIndicator {
  constructor(
    private readonly configWatch: ConfigWatch,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** Always up: the settings of before are in force. */
  check(): HealthIndicatorResult {
    const indicator = this.indicators.check('config');
    const { version, lastError } = this.configWatch;
    if (lastError === null) return indicator.up({ version });
    const since = new Date(lastError.sinceMs).toISOString();
    return indicator.up({ version, detail: 'degraded', since, faults: lastError.faults.slice(0, shownFaults) });
  }
}
