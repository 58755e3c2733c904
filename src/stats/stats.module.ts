// Counters that everyone bumps, and the page that shows them.
import { Global, Module } from '@nestjs/common';
import { StatsController } from './stats.controller.js';
import { Stats } from './stats.js';

@Global()
@Module({ controllers: [StatsController], providers: [Stats], exports: [Stats] })
export class StatsModule {}
