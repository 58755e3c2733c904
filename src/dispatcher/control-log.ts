// What operators have ordered, kept in a topic, so that it holds after a restart.
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Broker, type Membership } from '../broker/broker.js';
import { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { StoredMessage } from '../message/message.js';
import { controlTopic } from '../message/side-topic.js';
import { type PausePlace, Pauses } from '../policy/pauses.js';
import { ReadWaiters } from './window/read-waiters.js';

interface Order extends PausePlace {
  readonly kind: 'pause' | 'resume';
  readonly atMs: number;
}

/** The whole topic is read at each start: it grows by one record an order. The last order for a place holds. */
@Injectable()
export class ControlLog {
  private readonly log = new Logger('Control');
  /** Of this process alone: each reads all orders. It commits nothing and leaves nothing behind. */
  private readonly group = `bigpipe.control.${randomUUID()}`;
  private membership: Membership | null = null;
  private readUpTo = 0n;
  private readonly readers = new ReadWaiters((offset) => offset < this.readUpTo);

  constructor(
    private readonly broker: Broker,
    private readonly pauses: Pauses,
    private readonly clock: Clock,
  ) {}

  /** All that was ordered before holds once it resolves. */
  async open(): Promise<void> {
    await this.broker.ensureTopic({ name: controlTopic, partitions: 1, retention: 'keep' });
    this.membership = await this.broker.join(this.group, [controlTopic], {
      assigned: () => undefined,
      messages: (_membership, { messages, nextOffset }) => {
        for (const message of messages) this.apply(message);
        this.readUpTo = nextOffset;
        this.readers.check();
      },
      revoked: () => undefined,
    });
    const end = this.broker.lag(this.group, controlTopic)[0]?.highWatermark ?? 0n;
    if (end > 0n) await this.readers.until(end - 1n);
  }

  async close(): Promise<void> {
    await this.membership?.leave();
    this.membership = null;
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
    const body = Buffer.from(JSON.stringify(order));
    const [position] = await this.broker.append([{ topic: controlTopic, key: null, body, headers: {} }], -1);
    if (position) await this.readers.until(position.offset);
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
