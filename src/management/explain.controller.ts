// GET /explain: where a message is, and why it is not delivered yet.
import { BadRequestException, Controller, Get, NotFoundException, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { Explanation } from '../dispatcher/view/explain.js';
import { managementListener } from '../message/listener.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { MessageFinder } from '../tracking/message-finder.js';

const usage = 'give id, or topic, partition and offset';

@Controller('explain')
export class ExplainController {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly broker: Broker,
    private readonly subscriptions: Subscriptions,
    private readonly finder: MessageFinder,
  ) {}

  @Get()
  @RouteConstraints(managementListener)
  async explain(@Query() query: Readonly<Record<string, unknown>>): Promise<{ deliveries: Explanation[] }> {
    const { id, topic, partition, offset } = query;
    if (typeof id === 'string') return { deliveries: await this.byId(id, topic) };
    if (typeof topic !== 'string') throw new BadRequestException(usage);
    const at = BigInt(wholeOf('offset', offset));
    return { deliveries: await this.byPosition(topic, wholeOf('partition', partition), at) };
  }

  /** First among what is under way, then in the log. */
  private async byId(id: string, topic: unknown): Promise<Explanation[]> {
    const waiting = this.dispatcher.explainId(id);
    if (waiting.length > 0) return waiting;
    const names = new Set(this.subscriptions.all.map((subscription) => subscription.topic));
    const topics = typeof topic === 'string' ? [topic] : [...names];
    const unknown = topics.find((name) => !names.has(name));
    if (unknown !== undefined) throw new NotFoundException(`no subscription reads the topic ${unknown}`);
    const { messages, isWhole } = await this.finder.find(id, topics);
    const found = await Promise.all(
      messages.map(async (message) => {
        const deliveries = await this.dispatcher.explain(message.topic, message.partition, message.offset);
        return deliveries.map((delivery) => ({ ...delivery, id }));
      }),
    );
    if (messages.length > 0) return found.flat();
    throw new NotFoundException(
      isWhole
        ? `no message with the id ${id} is in the log: it was never stored, or retention has taken it`
        : `no message with the id ${id} is among the newest ones; ids that callers choose are found only there: ask by topic, partition and offset`,
    );
  }

  private byPosition(topic: string, partition: number, offset: bigint): Promise<Explanation[]> {
    const subscription = this.subscriptions.all.find((one) => one.topic === topic);
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
