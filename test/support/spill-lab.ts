// One subscription's runner over the memory broker, with a clock and a target that the test moves; it can be killed and started anew.
import type { Broker, GroupHandlers, Membership } from '#src/broker/broker.js';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import { GroupRunner } from '#src/dispatcher/group-runner.js';
import { newClientCounters, newConsumerCounters } from '#src/dispatcher/subscription-counters.js';
import { CommitMoments } from '#src/dispatcher/window/commit-moments.js';
import type { Message } from '#src/message/message.js';
import { NoTracing } from '#src/stats/tracing/tracing.js';
import { FakeClock } from './fake-clock.js';
import { newGates } from './gates.js';
import { newMeter } from './meter.js';
import { ScriptedTarget } from './scripted-target.js';
import { newSubscription } from './subscription.js';
import { until } from './until.js';

/** What a process that has died had under way is never appended, or nobody hears of it. */
function mortal(broker: Broker, life: { readonly isOver: boolean }): Broker {
  return new Proxy(broker, {
    get(target, name) {
      if (name === 'append' && life.isOver) return () => new Promise(() => undefined);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export class SpillLab {
  readonly clock = new FakeClock();
  readonly target = new ScriptedTarget();
  readonly client = newClientCounters();
  readonly reports: string[] = [];
  runner!: GroupRunner;
  private membership!: Membership;
  private life = { isOver: false };

  private constructor(
    readonly broker: Broker,
    readonly subscription: SubscriptionSettings,
  ) {}

  static async start(changes: Partial<SubscriptionSettings> = {}, partitions = 1): Promise<SpillLab> {
    const subscription = newSubscription(changes);
    const clock = new FakeClock();
    const broker = new MemoryBroker({ maxBytes: 1_000_000_000, clock, report: () => undefined });
    await broker.ensureTopic({ name: subscription.topic, partitions, retention: 'standard' });
    const lab = new SpillLab(broker, subscription);
    await lab.join();
    return lab;
  }

  /** A new owner, as after a start. */
  async join(): Promise<void> {
    const { clock, target, client, subscription } = this;
    const life = { isOver: false };
    this.life = life;
    const broker = mortal(this.broker, life);
    const runner = new GroupRunner(subscription, {
      broker,
      clock,
      moments: new CommitMoments(clock),
      gates: newGates(clock),
      target,
      client,
      consumer: newConsumerCounters(),
      meter: newMeter(),
      tracing: new NoTracing(),
      isCancelled: () => false,
      attempted: () => undefined,
      seesAll: () => false,
      passedOver: () => undefined,
      replied: () => undefined,
      report: (text) => this.reports.push(text),
    });
    const handlers: GroupHandlers = {
      assigned: (membership, assignments) => runner.assigned(membership, assignments),
      messages: (_membership, batch) => runner.messages(batch),
      revoked: (_membership, partitions) => runner.revoked(partitions),
    };
    this.runner = runner;
    await runner.prepare();
    this.membership = await broker.join(subscription.groupId, runner.topics, handlers);
  }

  /** As kill -9: nothing that was under way comes to an end. */
  async kill(): Promise<void> {
    this.life.isOver = true;
    await this.loseOwnership();
  }

  /** The owner loses its partitions without a word: it sends nothing more, and what it still moves or commits comes too late. */
  async loseOwnership(): Promise<void> {
    const left = this.membership.leave();
    void this.runner.drain();
    await left;
  }

  async append(...messages: Message[]): Promise<void> {
    await this.broker.append(messages, -1);
  }

  call(body: string, key: string | null, url: string): Message {
    return {
      topic: this.subscription.topic,
      key: key === null ? null : Buffer.from(key),
      body: Buffer.from(body),
      headers: { 'bigpipe-url': url, 'bigpipe-message-id': `id-${body}` },
    };
  }

  /** Lets time go on until the condition holds. */
  async until(what: string, condition: () => boolean, stepMs = 20): Promise<void> {
    await until(what, () => {
      if (condition()) return true;
      this.clock.advance(stepMs);
      return condition();
    });
  }

  /** Unsettled messages of a topic, as the broker knows them. */
  lag(topic: string): bigint {
    return this.broker.lag(this.subscription.groupId, topic).reduce((sum, { lag }) => sum + lag, 0n);
  }

  async close(): Promise<void> {
    await this.runner.drain();
    await this.membership.leave();
    await this.broker.close();
  }
}
