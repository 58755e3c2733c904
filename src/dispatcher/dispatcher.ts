// From the broker to the receivers: one runner for each subscription, fed by the transport's events.
import { Injectable, Logger } from '@nestjs/common';
import { Broker, type TopicPartition } from '../broker/broker.js';
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
import { Clock, within } from '../message/clock.js';
import type { Delivery } from '../message/delivery.js';
import { messageHeader } from '../message/message.js';
import { Replies } from '../reply/replies.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { Tracing } from '../stats/tracing/tracing.js';
import type { Follower } from '../subscription/registrations.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { TopicWants } from '../subscription/topic-wants.js';
import { type GroupView, Mailboxes } from '../target/mailbox/mailboxes.js';
import { Target } from '../target/target.js';
import { CancelLog } from '../tracking/cancel-log.js';
import { MessageFinder } from '../tracking/message-finder.js';
import { MessageTracker } from '../tracking/message-tracker.js';
import { ControlLog } from './control-log.js';
import { FailureLog } from './failure-log.js';
import { Gates } from './gates.js';
import { GroupRunner } from './group-runner.js';
import { MarkMoves, type OffsetRange } from './mark-moves.js';
import { PassedMarks } from './passed-marks.js';
import type { Ending } from './sending/callback.js';
import { nameOf, ServedSubscriptions } from './served-subscriptions.js';
import { placeNewGroup } from './starting-place.js';
import {
  type ClientCounters,
  type ConsumerCounters,
  newClientCounters,
  newConsumerCounters,
} from './subscription-counters.js';
import { keepsIdentity } from './subscription-identity.js';
import { DeliveryMeters } from './subscription-meter.js';
import { SuccessLog } from './success-log.js';
import { AttemptWatch } from './view/attempt-watch.js';
import { registerGauges } from './view/delivery-gauges.js';
import { registerStats } from './view/delivery-stats.js';
import type { Explanation } from './view/explain.js';
import { CommitMoments } from './window/commit-moments.js';
import type { PartitionWindow } from './window/partition-window.js';

/** So long an answer waits for what was registered to be in force. */
const inForceMs = 5000;

@Injectable()
export class Dispatcher implements Adjustable {
  readonly name = 'dispatcher';
  private readonly log = new Logger('Dispatcher');
  private readonly served: ServedSubscriptions;
  private readonly markMoves: MarkMoves;
  private readonly passedMarks: PassedMarks;
  private readonly commitMoments: CommitMoments<PartitionWindow>;
  private readonly clients = new Map<string, ClientCounters>();
  private readonly consumers = new Map<string, ConsumerCounters & { groupId: string; topic: string }>();
  /** How attempts ended of late. */
  readonly attempts: AttemptWatch;
  private readonly meters: DeliveryMeters;
  private readonly successes: SuccessLog;
  private readonly wants = new Map<string, TopicWants>();
  /** Groups whose endpoints have changed, and that are not brought into force yet. */
  private readonly regrouped = new Set<string>();
  private drained = false;

  constructor(
    private readonly broker: Broker,
    private readonly topics: Topics,
    private readonly transport: BrokerTransport,
    configWatch: ConfigWatch,
    private readonly clock: Clock,
    private readonly gates: Gates,
    private readonly target: Target,
    private readonly controlLog: ControlLog,
    private readonly cancelLog: CancelLog,
    private readonly replies: Replies,
    private readonly known: Subscriptions,
    finder: MessageFinder,
    private readonly mailboxes: Mailboxes,
    tracker: MessageTracker,
    stats: Stats,
    metrics: Metrics,
    private readonly tracing: Tracing,
  ) {
    this.attempts = new AttemptWatch(clock);
    this.commitMoments = new CommitMoments(clock);
    this.meters = new DeliveryMeters(metrics);
    this.successes = new SuccessLog(configWatch);
    this.served = new ServedSubscriptions({
      transport,
      topics,
      configWatch,
      subscriptions: known,
      clock,
      place: (subscription) => placeNewGroup({ broker, finder, clock }, subscription),
      newRunner: (subscription) => this.newRunner(subscription),
      gone: (name) => this.gone(name),
    });
    this.passedMarks = new PassedMarks(clock, () => this.subscriptions);
    this.markMoves = new MarkMoves(broker, this.served);
    tracker.follow({
      byId: (id) => this.explainId(id),
      byPosition: ({ topic, partition, offset }) => this.explain(topic, partition, offset),
    });
    mailboxes.follow({
      view: (groupId) => this.groupView(groupId),
      otherNodes: (groupId) => broker.otherNodes(groupId),
    });
    registerGauges(metrics, { broker, clock, runners: () => this.subscriptions });
    registerStats(stats, {
      runners: () => this.subscriptions,
      clients: this.clients,
      consumers: this.consumers,
      unmatchedOf: (topic) => this.wants.get(topic)?.unmatched ?? 0,
    });
  }

  /** Joins every subscription's group; deliveries begin. */
  async start(): Promise<void> {
    // What is paused or cancelled is not sent, also in the first moment.
    await Promise.all([this.controlLog.open(), this.cancelLog.open(), this.known.registrations.open()]);
    this.known.refresh();
    this.learnWants();
    this.known.registrations.follow((group, what) => this.regroup(group, what));
    await this.served.openAll();
    this.passedMarks.start();
  }

  /** What is parked is known by the names of its lanes: these must not change under it. */
  veto(next: Settings, current: Settings): string[] {
    return subscriptionChange(current, next).changed.flatMap(({ next: after }) => this.against(after) ?? []);
  }

  /** Why a subscription that is served here cannot become this one now; null when it can. */
  against(next: SubscriptionSettings): string | null {
    const { topic, groupId } = next;
    const runner = this.served.runner(topic, groupId);
    const parked = runner?.letters.parkedKeys(1).length ?? 0;
    if (runner === undefined || parked === 0 || keepsIdentity(runner.subscription, next)) return null;
    return `consumer ${groupId} of ${topic}: ordering, destinations and deadLetterTopic cannot change while keys are parked; send their dead letters again, or purge them, first`;
  }

  /**
   * Limits, timeouts and gates change where they stand. What comes and goes, or changes in a way that its messages in
   * memory would not survive, is drained and opened in the background: a drain lasts as long as the receivers' timeout.
   */
  async adjust(next: Settings, current: Settings): Promise<void> {
    const { added, changed } = topicChange(current, next);
    if (added.length > 0) await this.topics.ensure(added);
    this.known.refresh();
    this.learnWants();
    await this.served.reconcile(new Set(changed.map((topic) => topic.next.name)));
  }

  /** A group was registered, or changed, or its endpoints did. */
  private regroup(groupId: string, what: Parameters<Follower>[1]): void {
    if (what === 'endpoints') {
      // Of those that are read together each would look at all of its group.
      if (this.regrouped.size === 0) queueMicrotask(() => this.followEndpoints());
      this.regrouped.add(groupId);
      return;
    }
    const before = this.known.ofGroup(groupId);
    this.known.refresh();
    this.learnWants(new Set([...before, ...this.known.ofGroup(groupId)].map(({ topic }) => topic)));
    this.bringIntoForce(groupId);
  }

  private followEndpoints(): void {
    const groups = [...this.regrouped];
    this.regrouped.clear();
    for (const groupId of groups) {
      this.known.refreshEndpoints(groupId);
      this.bringIntoForce(groupId);
    }
  }

  private bringIntoForce(groupId: string): void {
    void this.served.reconcile(new Set(), groupId).catch((error: unknown) => {
      this.log.error({ msg: 'a registered subscription could not be brought into force', group: groupId, err: error });
    });
  }

  /** No new attempt; those in flight end and are committed; the groups are left. Before start and twice is fine. */
  async drain(): Promise<void> {
    if (this.drained) return;
    this.drained = true;
    this.mailboxes.takeBack();
    this.passedMarks.stop();
    await this.served.drain();
    await this.transport.close();
    await Promise.all([this.controlLog.close(), this.cancelLog.close(), this.known.registrations.close()]);
    await this.target.close();
  }

  assigned({ membership, assignments }: AssignedEvent): void {
    this.runnerOf(membership.group, assignments[0])?.assigned(membership, assignments);
  }

  /** Nobody waits for another's window. */
  messages({ handovers }: MessagesEvent): void {
    for (const handover of handovers) {
      const { membership, batch } = handover;
      try {
        handover.taken = this.runnerOf(membership.group, batch)?.messages(batch);
      } catch (error) {
        handover.taken = Promise.reject(error);
      }
    }
  }

  async revoked({ membership, partitions }: RevokedEvent): Promise<void> {
    await this.runnerOf(membership.group, partitions[0])?.revoked(partitions);
  }

  /** Resolves once what was registered of a group is in force here, or after a while where a drain takes longer. */
  async whenInForce(groupId: string): Promise<void> {
    await within(this.clock, inForceMs, this.served.whenQuiet(groupId));
  }

  /** The state of a message in each subscription of its topic that is served here. */
  async explain(topic: string, partition: number, offset: bigint): Promise<Explanation[]> {
    const found = await Promise.all(this.runnersOf(topic).map((runner) => runner.explain(partition, offset)));
    return found.flatMap((explanation) => explanation ?? []);
  }

  /** Null when there is no such subscription here. */
  subscription(topic: string, groupId: string): GroupRunner | null {
    return this.served.runner(topic, groupId) ?? null;
  }

  /** Every subscription that is served here. */
  get subscriptions(): readonly GroupRunner[] {
    return this.served.runners;
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
    return this.drained ? null : this.markMoves.move(topic, groupId, marks);
  }

  /**
   * Drains the subscription and opens it again so that a range of settled messages comes again, to this group alone. `to` null: up to
   * its mark. Resolves to the range; to a text that says why nothing comes again.
   */
  async replay(...[topic, groupId, range]: Parameters<MarkMoves['replay']>): Promise<OffsetRange | string> {
    if (this.drained) return 'the subscription is being changed, or bigpipe is draining';
    return this.markMoves.replay(topic, groupId, range);
  }

  /** Null for a group that nobody has named; one that is being opened has no partition yet. */
  private groupView(groupId: string): GroupView | null {
    const ofGroup = <T extends { groupId: string }>(one: T) => one.groupId === groupId;
    const named = this.known.ofGroup(groupId);
    const served = this.subscriptions.filter(({ subscription }) => ofGroup(subscription));
    if (named.length === 0 && served.length === 0) return null;
    const pulled = served.filter(({ subscription }) => subscription.isPulled);
    return {
      isPulled: pulled.length > 0 || named.some(({ isPulled }) => isPulled),
      partitions: pulled.reduce((sum, runner) => sum + runner.ownedPartitions, 0),
      leaseMs: named.find(({ isPulled }) => isPulled)?.timeoutMs ?? 0,
    };
  }

  /** What is wanted of each topic by all its subscriptions together. */
  private learnWants(topics: ReadonlySet<string> | null = null): void {
    const byTopic = Map.groupBy(this.known.all, ({ topic }) => topic);
    for (const topic of topics ?? new Set([...this.wants.keys(), ...byTopic.keys()])) {
      const wants = this.wants.get(topic) ?? new TopicWants();
      this.wants.set(topic, wants);
      const before = wants.teller;
      wants.adjust(byTopic.get(topic) ?? []);
      if (wants.teller === before) continue;
      for (const group of [before, wants.teller]) this.served.runner(topic, group ?? '')?.interestChanged();
    }
  }

  private runnersOf(topic: string): GroupRunner[] {
    return this.subscriptions.filter(({ subscription }) => subscription.topic === topic);
  }

  private gone(name: string): void {
    const row = this.consumers.get(name);
    if (row !== undefined) {
      this.meters.forget(row.topic, row.groupId);
      this.attempts.forget(row.topic, row.groupId);
    }
    this.consumers.delete(name);
  }

  private runnerOf(group: string, partition: TopicPartition | undefined): GroupRunner | undefined {
    return partition === undefined ? undefined : this.served.readerOf(partition.topic, group);
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
    const isCancelled = (id: string) => this.cancelLog.has(id);
    const report = new FailureLog(groupId, clock).warn;
    return new GroupRunner(subscription, {
      broker,
      clock,
      moments: this.commitMoments,
      gates,
      target,
      client,
      consumer,
      meter: this.meters.of(topic, groupId),
      tracing: this.tracing,
      isCancelled,
      attempted: (delivery, outcome) => {
        this.attempts.attempted(groupId, delivery, outcome);
        if (outcome.kind === 'delivered') this.successes.tell(groupId, delivery, outcome);
      },
      seesAll: () => this.wants.get(topic)?.teller === groupId,
      passedOver: (headers, body) => this.wants.get(topic)?.refusedBy(groupId, headers, body),
      replied: (delivery, ending) => this.replied(delivery, ending),
      report,
    });
  }

  private replied({ id, replyTo, source }: Delivery, ending: Ending): void {
    const head = { id, caller: source.headers[messageHeader.acl] ?? '' };
    const reply =
      'detail' in ending
        ? { ...head, kind: 'failed' as const, ...ending }
        : { ...head, kind: 'answered' as const, ...ending };
    if (replyTo !== null) this.replies.came(replyTo, reply, source.headers[messageHeader.cache]);
  }
}
