// Is the log open and can it be written?
import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Broker } from '../broker/broker.js';

@Injectable()
export class BrokerIndicator {
  constructor(
    private readonly broker: Broker,
    private readonly indicators: HealthIndicatorService,
  ) {}

  /** True when only a new process can heal it. */
  get isDead(): boolean {
    return this.broker.health().isDead ?? false;
  }

  check(): HealthIndicatorResult {
    const { ok, detail } = this.broker.health();
    const indicator = this.indicators.check('broker');
    return ok ? indicator.up({ detail }) : indicator.down({ detail });
  }
}
