// What operators have ordered, kept in a topic, so that it holds after a restart.
import { Injectable, Logger } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { SharedLog } from '../broker/shared-log.js';
import { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { StoredMessage } from '../message/message.js';
import { controlTopic } from '../message/side-topic.js';
import { type PausePlace, Pauses } from '../policy/pauses.js';

interface Order extends PausePlace {
  readonly kind: 'pause' | 'resume';
  readonly atMs: number;
}

/** The whole topic is read at each start: it grows by one record an order. The last order for a place holds. */
@Injectable()
export class ControlLog {
  private readonly log = new Logger('Control');
  private readonly orders: SharedLog;

  constructor(
    broker: Broker,
    private readonly pauses: Pauses,
    private readonly clock: Clock,
  ) {
    this.orders = new SharedLog(broker, controlTopic, (message) => this.apply(message));
  }

  /** All that was ordered before holds once it resolves. */
  open(): Promise<void> {
    return this.orders.open();
  }

  close(): Promise<void> {
    return this.orders.close();
  }

  /** Resolves once the order is durable and in force. `destination` null: the whole subscription. */
  async order(kind: Order['kind'], topic: string, groupId: string, destination: string | null): Promise<void> {
    await this.write({ topic, groupId, destination, kind, atMs: this.clock.now() });
  }

  /** What is paused of a subscription; destination null: all of it. Unix milliseconds. */
  pausedOf(
    topic: string,
    groupId: string,
  ): readonly { readonly destination: string | null; readonly sinceMs: number }[] {
    return this.pauses.all().filter((paused) => paused.topic === topic && paused.groupId === groupId);
  }

  private async write(order: Order): Promise<void> {
    await this.orders.write(Buffer.from(JSON.stringify(order)));
    const { kind, topic, groupId, destination } = order;
    this.log.log({ msg: `${kind}d by an operator`, topic, group: groupId, destination });
  }

  private apply(message: StoredMessage): void {
    try {
      const order = JSON.parse(message.body.toString('utf8')) as Order;
      if (order.kind === 'pause') this.pauses.pause(order, order.atMs);
      else if (order.kind === 'resume') this.pauses.resume(order);
    } catch (error) {
      this.log.error({
        msg: 'an order cannot be read and is passed over',
        offset: `${message.offset}`,
        error: textOf(error),
      });
    }
  }
}
