// GET /stats, in the shape of the original.
import { Controller, Get } from '@nestjs/common';
import { SkipThrottle } from '@nestjs/throttler';
import { Clock } from '../message/clock.js';
import { Steps } from '../message/steps.js';
import { metricsSection } from './metrics/metrics.js';
import { Stats } from './stats.js';

@Controller()
@SkipThrottle()
export class StatsController {
  constructor(
    private readonly stats: Stats,
    private readonly clock: Clock,
  ) {}

  @Get('stats')
  async read(): Promise<object> {
    const { [metricsSection]: _, ...data } = await this.stats.whole(new Steps(this.clock));
    return { data, errno: 0, msg: 'success' };
  }
}
