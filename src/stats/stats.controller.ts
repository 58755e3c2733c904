// GET /stats, in the shape of the original.
import { Controller, Get } from '@nestjs/common';
import { SkipThrottle } from '@nestjs/throttler';
import { Stats } from './stats.js';

@Controller()
@SkipThrottle()
export class StatsController {
  constructor(private readonly stats: Stats) {}

  @Get('stats')
  async read(): Promise<object> {
    return { data: await this.stats.whole(), errno: 0, msg: 'success' };
  }
}
