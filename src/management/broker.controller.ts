// The operator's view of the log: how far each group is, and whether what is stored is whole.
import { Controller, Get, HttpCode, Post } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { managementListener } from '../message/listener.js';
import { Subscriptions } from '../subscription/subscriptions.js';

interface LagRow {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  /** Offsets are texts: they may pass what a JSON number holds. */
  readonly committed: string | null;
  readonly highWatermark: string;
  readonly lag: string;
}

@Controller('broker')
export class BrokerController {
  constructor(
    private readonly broker: Broker,
    private readonly subscriptions: Subscriptions,
  ) {}

  @Get('lag')
  @RouteConstraints(managementListener)
  lag(): LagRow[] {
    return this.subscriptions.all.flatMap(({ topic, groupId }) =>
      this.broker.lag(groupId, topic).map(({ partition, committed, highWatermark, lag }) => ({
        groupId,
        topic,
        partition,
        committed: committed === null ? null : `${committed}`,
        highWatermark: `${highWatermark}`,
        lag: `${lag}`,
      })),
    );
  }

  /** Reads all that is stored; minutes on a large log, beside the work. */
  @Post('check')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  async check(): Promise<{ ok: boolean; faults: readonly string[] }> {
    const faults = await this.broker.check();
    return { ok: faults.length === 0, faults };
  }
}
