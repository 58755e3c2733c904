// From an accepted message to an acknowledged append.
import { Injectable } from '@nestjs/common';
import { Broker, type Durability } from '../broker/broker.js';
import type { Adjustable } from '../config-watch/adjustable.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { AclSettings, Settings } from '../config-watch/settings.js';
import { BigpipeError } from '../message/errors.js';
import { type Acks, type Message, type Position, weightOf } from '../message/message.js';
import { Stats } from '../stats/stats.js';
import { Admission } from './admission.js';

interface TopicCounters {
  deliveryFail: number;
  deliverySuccess: number;
}

@Injectable()
export class Producer implements Adjustable {
  readonly name = 'producer';
  private readonly admission: Admission;
  private readonly counters = new Map<string, TopicCounters>();
  private isClosed = false;
  private idle: (() => void)[] = [];

  constructor(
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
    stats: Stats,
  ) {
    const { producer, acl } = configWatch.settings;
    this.admission = new Admission(producer.maxWaiting, producer.maxWaitingBytes);
    this.countTopicsOf(acl);
    stats.register('producerStats', () => Object.fromEntries(this.counters));
  }

  /** The counters of a topic that nobody may write to any more stay until the process ends. */
  adjust({ producer, acl }: Settings): void {
    this.admission.adjust(producer.maxWaiting, producer.maxWaitingBytes);
    this.countTopicsOf(acl);
  }

  /**
   * Resolves once the message is as durable as asked (`acks` undefined: as the operator set), with its position,
   * null at acks 0. Rejects with a BigpipeError: overloaded at once when too much waits already, and whatever
   * Broker.append rejects with.
   */
  async accept(message: Message, acks: Acks | undefined): Promise<Position | null> {
    if (this.isClosed) throw new BigpipeError('closed', 'bigpipe is shutting down');
    const bytes = weightOf(message);
    if (!this.admission.enter(bytes)) throw new BigpipeError('overloaded', 'too many calls wait to be stored');
    try {
      const [position] = await this.broker.append([message], this.levelOf(acks));
      this.count(message.topic, 'deliverySuccess');
      return position ?? null;
    } catch (error) {
      this.count(message.topic, 'deliveryFail');
      throw error;
    } finally {
      this.admission.leave(bytes);
      if (this.admission.size === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** What success at this level means here. */
  durability(acks: Acks | undefined): Durability {
    return this.broker.durability(this.levelOf(acks));
  }

  /** Takes nothing more; resolves when everything taken was answered. */
  async drain(): Promise<void> {
    this.isClosed = true;
    if (this.admission.size === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private levelOf(acks: Acks | undefined): Acks {
    return acks ?? this.configWatch.settings.producer.acks;
  }

  private countTopicsOf(acl: readonly AclSettings[]): void {
    for (const { topic } of acl) {
      if (!this.counters.has(topic)) this.counters.set(topic, { deliveryFail: 0, deliverySuccess: 0 });
    }
  }

  private count(topic: string, what: keyof TopicCounters): void {
    const counters = this.counters.get(topic);
    if (counters !== undefined) counters[what] += 1;
  }
}
