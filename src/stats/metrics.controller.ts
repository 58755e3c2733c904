// GET /metrics, for Prometheus, on the operator's listener.
import { Controller, Get, Res } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { SkipThrottle } from '@nestjs/throttler';
import { managementListener } from '../message/listener.js';
import { Exposition } from './metrics/exposition.js';
import { Stats } from './stats.js';

interface Answer {
  header(name: string, value: string): Answer;
  send(text: string): unknown;
}

@Controller('metrics')
@SkipThrottle()
export class MetricsController {
  constructor(
    private readonly stats: Stats,
    private readonly exposition: Exposition,
  ) {}

  @Get()
  @RouteConstraints(managementListener)
  async read(@Res() answer: Answer): Promise<void> {
    const text = await this.exposition.text(await this.stats.whole());
    answer.header('content-type', this.exposition.contentType).send(text);
  }
}
