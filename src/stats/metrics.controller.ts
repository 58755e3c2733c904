// GET /metrics, for Prometheus, on the operator's listener.
import { Readable } from 'node:stream';
import { Controller, Get, Res } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { SkipThrottle } from '@nestjs/throttler';
import { Clock } from '../message/clock.js';
import { managementListener } from '../message/listener.js';
import { Steps } from '../message/steps.js';
import { Exposition } from './metrics/exposition.js';
import { Stats } from './stats.js';

interface Answer {
  header(name: string, value: string): Answer;
  send(page: Readable): unknown;
}

@Controller('metrics')
@SkipThrottle()
export class MetricsController {
  constructor(
    private readonly stats: Stats,
    private readonly exposition: Exposition,
    private readonly clock: Clock,
  ) {}

  @Get()
  @RouteConstraints(managementListener)
  async read(@Res() answer: Answer): Promise<void> {
    const steps = new Steps(this.clock);
    // What can fail has been done before the first byte.
    const page = await this.exposition.page(await this.stats.whole(steps), steps);
    answer.header('content-type', this.exposition.contentType).send(Readable.from(page));
  }
}
