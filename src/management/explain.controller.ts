// GET /explain: why a message is not delivered yet.
import { BadRequestException, Controller, Get, NotFoundException, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { Explanation } from '../dispatcher/view/explain.js';
import { managementListener } from '../message/listener.js';

const usage = 'give id, or topic, partition and offset';

@Controller('explain')
export class ExplainController {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
  ) {}

  @Get()
  @RouteConstraints(managementListener)
  explain(@Query() query: Readonly<Record<string, unknown>>): { deliveries: Explanation[] } {
    const { id, topic, partition, offset } = query;
    if (typeof id === 'string') return { deliveries: this.byId(id) };
    if (typeof topic !== 'string') throw new BadRequestException(usage);
    return { deliveries: this.byPosition(topic, wholeOf('partition', partition), BigInt(wholeOf('offset', offset))) };
  }

  private byId(id: string): Explanation[] {
    const deliveries = this.dispatcher.explainId(id);
    if (deliveries.length > 0) return deliveries;
    throw new NotFoundException(
      `no message with the id ${id} is read and unsettled: it is settled, or not read yet; ask by topic, partition and offset`,
    );
  }

  private byPosition(topic: string, partition: number, offset: bigint): Explanation[] {
    const { subscriptions } = this.configWatch.settings;
    const subscription = subscriptions.find((one) => one.topic === topic);
    if (subscription === undefined) throw new NotFoundException(`no subscription reads the topic ${topic}`);
    const row = this.broker.lag(subscription.groupId, topic).find((one) => one.partition === partition);
    if (row === undefined) throw new NotFoundException(`the topic ${topic} has no partition ${partition}`);
    if (offset >= row.highWatermark) {
      throw new NotFoundException(`partition ${partition} of ${topic} ends before offset ${row.highWatermark}`);
    }
    return this.dispatcher.explain(topic, partition, offset);
  }
}

function wholeOf(name: string, value: unknown): number {
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw new BadRequestException(`${name} is missing or no whole number; ${usage}`);
}
