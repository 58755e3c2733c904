// What an orchestrator and a person on call ask first.
import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { BrokerIndicator } from './broker.indicator.js';
import { ConfigIndicator } from './config.indicator.js';
import { DrainIndicator } from './drain.indicator.js';
import { HealthController } from './health.controller.js';
import { SharedStateIndicator } from './shared-state.indicator.js';
import { WorkersIndicator } from './workers.indicator.js';

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [BrokerIndicator, ConfigIndicator, DrainIndicator, SharedStateIndicator, WorkersIndicator],
  exports: [DrainIndicator, SharedStateIndicator, WorkersIndicator],
})
export class HealthModule {}
