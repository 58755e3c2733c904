// GET /stats, in the shape of the original.
import { Controller, Get } from '@nestjs/common';
import { SkipThrottle } from '@nestjs/throttler';
import { metricsSection } from './metrics/metrics.js';
import { Stats } from './stats.js';

@Controller()
@SkipThrottle()
export class StatsController {
  constructor(private readonly stats: Stats) {}

  @Get('stats')
  async read(): Promise<object> {
    const { [metricsSection]: _, ...data } = await this.stats.whole();
    return { data, errno: 0, msg: 'success' };
  }
}
