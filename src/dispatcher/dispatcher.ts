// From the broker to the receivers: one runner for each subscription, fed by the transport's events.
import { Injectable } from '@nestjs/common';
import { Broker, type TopicPartition } from '../broker/broker.js';
import {
  type AssignedEvent,
  BrokerTransport,
  type MessagesEvent,
  type RevokedEvent,
} from '../broker/broker.transport.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { Stats } from '../stats/stats.js';
import { Target } from '../target/target.js';
import { ControlLog } from './control-log.js';
import { FailureLog } from './failure-log.js';
import { Gates } from './gates.js';
import { GroupRunner } from './group-runner.js';
import {
  type ClientCounters,
  type ConsumerCounters,
  newClientCounters,
  newConsumerCounters,
} from './subscription-counters.js';
import type { Explanation } from './view/explain.js';

@Injectable()
export class Dispatcher {
  private readonly runners = new Map<string, GroupRunner>();
  private readonly clients = new Map<string, ClientCounters>();
  private readonly consumers: (ConsumerCounters & { groupId: string; topic: string })[] = [];
  private drained = false;

  constructor(
    private readonly broker: Broker,
    private readonly transport: BrokerTransport,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly gates: Gates,
    private readonly target: Target,
    private readonly controlLog: ControlLog,
    stats: Stats,
  ) {
    stats.register('clientStats', () => this.clientStats());
    stats.register('consumerStats', () => this.consumers);
    stats.register('subscriptionStats', () => this.allRunners().map((runner) => this.rowOf(runner)));
  }

  /** Joins every subscription's group; deliveries begin. */
  async start(): Promise<void> {
    const { subscriptions } = this.configWatch.settings;
    // What is paused sends nothing, also in the first moment.
    await this.controlLog.open();
    for (const subscription of subscriptions) {
      const { groupId } = subscription;
      const runner = this.newRunner(subscription);
      await runner.prepare();
      for (const topic of runner.topics) this.runners.set(nameOf(topic, groupId), runner);
      await this.transport.join(groupId, runner.topics);
    }
  }

  /** No new attempt; those in flight end and are committed; the groups are left. Before start and twice is fine. */
  async drain(): Promise<void> {
    if (this.drained) return;
    this.drained = true;
    await Promise.all(this.allRunners().map((runner) => runner.drain()));
    await this.transport.close();
    await this.controlLog.close();
    await this.target.close();
  }

  assigned({ membership, assignments }: AssignedEvent): void {
    this.runnerOf(membership.group, assignments[0])?.assigned(membership, assignments);
  }

  async messages({ membership, batch }: MessagesEvent): Promise<void> {
    await this.runnerOf(membership.group, batch)?.messages(batch);
  }

  async revoked({ membership, partitions }: RevokedEvent): Promise<void> {
    await this.runnerOf(membership.group, partitions[0])?.revoked(partitions);
  }

  /** The state of a message in each subscription of its topic that is served here. */
  explain(topic: string, partition: number, offset: bigint): Explanation[] {
    return this.runnersOf(topic).flatMap((runner) => runner.view.explain(partition, offset) ?? []);
  }

  /** Null when there is no such subscription here. */
  subscription(topic: string, groupId: string): GroupRunner | null {
    return this.runnersOf(topic).find(({ subscription }) => subscription.groupId === groupId) ?? null;
  }

  /** Every subscription that is served here. */
  get subscriptions(): readonly GroupRunner[] {
    return this.allRunners();
  }

  /** The same by message id, of messages that are read and not settled. */
  explainId(id: string): Explanation[] {
    return this.allRunners().flatMap((runner) => runner.view.explainId(id));
  }

  /** A runner stands there once for each of its topics. */
  private allRunners(): GroupRunner[] {
    return [...new Set(this.runners.values())];
  }

  private runnersOf(topic: string): GroupRunner[] {
    return this.allRunners().filter(({ subscription }) => subscription.topic === topic);
  }

  /** One topic's groups together, as in the original; broken when the circuit of any destination is open. */
  private clientStats(): object {
    for (const counters of this.clients.values()) counters.circuitIsBreak = 0;
    for (const runner of this.allRunners()) {
      const counters = this.clients.get(runner.subscription.topic);
      const isOpen = runner.view.troubled().some(({ states }) => states.some(({ state }) => state === 'open'));
      if (counters !== undefined && isOpen) counters.circuitIsBreak = 1;
    }
    return Object.fromEntries(this.clients);
  }

  private rowOf(runner: GroupRunner): object {
    const { topic, groupId } = runner.subscription;
    return { topic, groupId, backlog: runner.view.backlog(), destinations: runner.view.troubled() };
  }

  private runnerOf(group: string, partition: TopicPartition | undefined): GroupRunner | undefined {
    return partition === undefined ? undefined : this.runners.get(nameOf(partition.topic, group));
  }

  private newRunner(subscription: SubscriptionSettings): GroupRunner {
    const { topic, groupId } = subscription;
    let client = this.clients.get(topic);
    if (client === undefined) {
      client = newClientCounters();
      this.clients.set(topic, client);
    }
    const consumer = { groupId, topic, ...newConsumerCounters() };
    this.consumers.push(consumer);
    const { broker, clock, gates, target } = this;
    const report = new FailureLog(groupId, clock).warn;
    return new GroupRunner(subscription, {
      broker,
      clock,
      gates,
      target,
      client,
      consumer,
      report,
    });
  }
}

const nameOf = (topic: string, group: string) => `${topic} ${group}`;
