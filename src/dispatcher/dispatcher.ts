// From the broker to the receivers: one runner for each subscription, fed by the transport's events.
import { Injectable, Logger } from '@nestjs/common';
import { Broker, type Membership, type TopicPartition } from '../broker/broker.js';
import {
  type AssignedEvent,
  BrokerTransport,
  type MessagesEvent,
  type RevokedEvent,
} from '../broker/broker.transport.js';
import { Topics } from '../broker/topics.js';
import type { Adjustable } from '../config-watch/adjustable.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { Settings, SubscriptionSettings } from '../config-watch/settings.js';
import { subscriptionChange, topicChange } from '../config-watch/settings-change.js';
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

/** A runner with its place in its group. */
interface Served {
  readonly runner: GroupRunner;
  readonly membership: Membership;
}

@Injectable()
export class Dispatcher implements Adjustable {
  readonly name = 'dispatcher';
  private readonly log = new Logger('Dispatcher');
  /** By topic and group, each under every topic that it reads. */
  private readonly runners = new Map<string, GroupRunner>();
  /** By topic and group of the subscription. */
  private readonly served = new Map<string, Served>();
  private readonly clients = new Map<string, ClientCounters>();
  private readonly consumers = new Map<string, ConsumerCounters & { groupId: string; topic: string }>();
  /** Subscriptions come and go one after another. */
  private changing: Promise<void> = Promise.resolve();
  private drained = false;

  constructor(
    private readonly broker: Broker,
    private readonly topics: Topics,
    private readonly transport: BrokerTransport,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly gates: Gates,
    private readonly target: Target,
    private readonly controlLog: ControlLog,
    stats: Stats,
  ) {
    stats.register('clientStats', () => this.clientStats());
    stats.register('consumerStats', () => [...this.consumers.values()]);
    stats.register('subscriptionStats', () => this.subscriptions.map((runner) => this.rowOf(runner)));
  }

  /** Joins every subscription's group; deliveries begin. */
  async start(): Promise<void> {
    // What is paused sends nothing, also in the first moment.
    await this.controlLog.open();
    // Side by side: on Kafka each join takes its time.
    await Promise.all(this.configWatch.settings.subscriptions.map((subscription) => this.open(subscription)));
  }

  /**
   * Limits, timeouts and gates change where they stand. What comes and goes, or changes in a way that its messages in
   * memory would not survive, is drained and opened in the background, one after another: a drain lasts as long as
   * the receivers' timeout.
   */
  async adjust(next: Settings, current: Settings): Promise<void> {
    const { added, removed, changed } = subscriptionChange(current, next);
    const resized = new Set(topicChange(current, next).changed.map((topic) => topic.next.name));
    const moved = next.subscriptions.filter(({ topic }) => resized.has(topic));
    const inPlace = changed.filter((one) => !resized.has(one.next.topic));
    const renewed = inPlace.filter((one) => this.runnerFor(one.next)?.adjust(one.next) !== true).map((one) => one.next);
    const opening = [...new Set([...added, ...moved, ...renewed])];
    if (opening.length + removed.length === 0) {
      await this.topics.ensure(next.topics);
      return;
    }
    const begun = this.changing.then(() => this.replace([...removed, ...moved, ...renewed], opening, next));
    this.changing = begun.catch((error: unknown) => {
      this.log.error({
        msg: 'subscriptions could not be changed; a restart or the next reload tries again',
        err: error,
      });
    });
    // A new topic is there before anybody may write to it.
    if (removed.length + moved.length + renewed.length === 0) await begun;
    else if (resized.size === 0) await this.topics.ensure(next.topics);
  }

  /** No new attempt; those in flight end and are committed; the groups are left. Before start and twice is fine. */
  async drain(): Promise<void> {
    if (this.drained) return;
    this.drained = true;
    await Promise.all([this.changing, ...this.subscriptions.map((runner) => runner.drain())]);
    // Those that were being opened meanwhile.
    await Promise.all(this.subscriptions.map((runner) => runner.drain()));
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
  async explain(topic: string, partition: number, offset: bigint): Promise<Explanation[]> {
    const found = await Promise.all(this.runnersOf(topic).map((runner) => runner.explain(partition, offset)));
    return found.flatMap((explanation) => explanation ?? []);
  }

  /** Null when there is no such subscription here. */
  subscription(topic: string, groupId: string): GroupRunner | null {
    return this.runnerFor({ topic, groupId }) ?? null;
  }

  /** Every subscription that is served here. */
  get subscriptions(): readonly GroupRunner[] {
    return [...this.served.values()].map(({ runner }) => runner);
  }

  /** The same by message id, of messages that are read and not settled. */
  explainId(id: string): Explanation[] {
    return this.subscriptions.flatMap((runner) => runner.view.explainId(id));
  }

  /**
   * Drains the subscription, moves its marks in its own topic, and opens it again. Resolves to the partitions whose mark was
   * moved, those that were served here; null when nothing is changed any more.
   */
  async moveMarks(topic: string, groupId: string, marks: ReadonlyMap<number, bigint>): Promise<Set<number> | null> {
    const subscription = this.configWatch.settings.subscriptions.find(
      (one) => one.topic === topic && one.groupId === groupId,
    );
    if (subscription === undefined || this.drained) return null;
    const moved = new Set<number>();
    const done = this.changing.then(async () => {
      await this.close(subscription, async (membership) => {
        for (const [partition, offset] of marks) {
          const isOurs = await membership.commit({ topic, partition }, { offset, metadata: '' }).then(
            () => true,
            () => false,
          );
          if (isOurs) moved.add(partition);
        }
      });
      if (!this.drained) await this.open(subscription);
    });
    this.changing = done.catch(() => undefined);
    await done;
    this.log.warn({ msg: 'marks moved by an operator', topic, group: groupId, partitions: [...moved] });
    return moved;
  }

  private async replace(
    leaving: readonly SubscriptionSettings[],
    opening: readonly SubscriptionSettings[],
    { topics }: Settings,
  ): Promise<void> {
    await Promise.all(leaving.map((subscription) => this.close(subscription)));
    if (this.drained) return;
    await this.topics.ensure(topics);
    await Promise.all(opening.map((subscription) => this.open(subscription)));
  }

  private async open(subscription: SubscriptionSettings): Promise<void> {
    const { topic, groupId } = subscription;
    const runner = this.newRunner(subscription);
    await runner.prepare();
    for (const name of runner.topics) this.runners.set(nameOf(name, groupId), runner);
    const membership = await this.transport.join(groupId, runner.topics);
    this.served.set(nameOf(topic, groupId), { runner, membership });
  }

  /** Lets what is in flight end, commits, and leaves the group; what is not settled waits in the log. */
  private async close(
    { topic, groupId }: SubscriptionSettings,
    beforeLeaving: (membership: Membership) => Promise<void> = async () => undefined,
  ): Promise<void> {
    const name = nameOf(topic, groupId);
    const served = this.served.get(name);
    if (served === undefined) return;
    await served.runner.drain();
    await beforeLeaving(served.membership);
    await this.transport.leave(served.membership);
    for (const one of served.runner.topics) this.runners.delete(nameOf(one, groupId));
    this.served.delete(name);
    this.consumers.delete(name);
  }

  private runnerFor({ topic, groupId }: { readonly topic: string; readonly groupId: string }): GroupRunner | undefined {
    return this.served.get(nameOf(topic, groupId))?.runner;
  }

  private runnersOf(topic: string): GroupRunner[] {
    return this.subscriptions.filter(({ subscription }) => subscription.topic === topic);
  }

  /** One topic's groups together, as in the original; broken when the circuit of any destination is open. */
  private clientStats(): object {
    for (const counters of this.clients.values()) counters.circuitIsBreak = 0;
    for (const runner of this.subscriptions) {
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
    this.consumers.set(nameOf(topic, groupId), consumer);
    const { broker, clock, gates, target } = this;
    const report = new FailureLog(groupId, clock).warn;
    return new GroupRunner(subscription, { broker, clock, gates, target, client, consumer, report });
  }
}

const nameOf = (topic: string, group: string) => `${topic} ${group}`;
