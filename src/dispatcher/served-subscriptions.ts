// The subscriptions that this process serves: opened, changed where they stand, or drained and opened anew, each in its own turn.
import { isDeepStrictEqual } from 'node:util';
import { Logger } from '@nestjs/common';
import type { Membership } from '../broker/broker.js';
import type { BrokerTransport } from '../broker/broker.transport.js';
import type { Topics } from '../broker/topics.js';
import type { ConfigWatch } from '../config-watch/config-watch.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type Clock, pause } from '../message/clock.js';
import type { Subscriptions } from '../subscription/subscriptions.js';
import type { GroupRunner } from './group-runner.js';

/** After a subscription could not be opened or closed. */
const retryMs = 5000;

export interface ServedParts {
  readonly transport: BrokerTransport;
  readonly topics: Topics;
  readonly configWatch: ConfigWatch;
  readonly subscriptions: Pick<Subscriptions, 'all' | 'find'>;
  readonly clock: Clock;
  /** Before a subscription is opened. */
  readonly place: (subscription: SubscriptionSettings) => Promise<void>;
  readonly newRunner: (subscription: SubscriptionSettings) => GroupRunner;
  /** It is closed and not wanted any more. */
  readonly gone: (name: string) => void;
}

/** A runner with its place in its group. */
interface Served {
  readonly runner: GroupRunner;
  readonly membership: Membership;
}

export class ServedSubscriptions {
  private readonly log = new Logger('Dispatcher');
  /** By topic, then by group, each under every topic that it reads: asked for each batch. */
  private readonly byTopic = new Map<string, Map<string, GroupRunner>>();
  private readonly served = new Map<string, Served>();
  /** What is under way for a subscription; the next one waits for it. */
  private readonly turns = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(private readonly parts: ServedParts) {}

  get runners(): readonly GroupRunner[] {
    return [...this.served.values()].map(({ runner }) => runner);
  }

  runner(topic: string, groupId: string): GroupRunner | undefined {
    return this.served.get(nameOf(topic, groupId))?.runner;
  }

  /** Whose messages those of a topic are, for a group; also while it is being opened. */
  readerOf(topic: string, groupId: string): GroupRunner | undefined {
    return this.byTopic.get(topic)?.get(groupId);
  }

  /** Opens all that the settings name, side by side: on Kafka each join takes its time. */
  async openAll(): Promise<void> {
    await Promise.all(this.parts.subscriptions.all.map((subscription) => this.open(subscription)));
  }

  /**
   * Brings what is served to what the settings name. What can changes at once; what only comes is there when it resolves;
   * what has to be drained first goes on in the background. A topic in `resized` is closed for all its groups before it changes.
   * `only`: of one group.
   */
  async reconcile(resized: ReadonlySet<string>, only: string | null = null): Promise<void> {
    const coming: Promise<void>[] = [];
    const names = new Map<string, string>();
    for (const { topic, groupId } of [...this.parts.subscriptions.all, ...this.runners.map((one) => one.subscription)])
      if (only === null || only === groupId) names.set(nameOf(topic, groupId), topic);
    for (const topic of resized)
      this.resize(
        topic,
        [...names].filter(([, of]) => of === topic).map(([name]) => name),
      );
    for (const [name, topic] of names) {
      if (resized.has(topic) || (!this.turns.has(name) && this.isInForce(name))) continue;
      const isNew = !this.served.has(name) && !this.turns.has(name);
      const done = this.inTurn(name, () => this.bring(name));
      if (isNew) coming.push(done);
    }
    await Promise.all(coming);
  }

  /** In the subscription's turn: closed, `work` done while its place in the group is still held, and opened again. */
  async reopen(topic: string, groupId: string, work: (membership: Membership) => Promise<void>): Promise<void> {
    const name = nameOf(topic, groupId);
    await this.inTurn(name, async () => {
      await this.close(name, work);
      await this.bring(name);
    });
  }

  /** Resolves once what is under way for a group's subscriptions is over. */
  async whenQuiet(groupId: string): Promise<void> {
    await Promise.all([...this.turns].flatMap(([name, turn]) => (name.endsWith(` ${groupId}`) ? [turn] : [])));
  }

  /** No new attempt; those in flight end and are committed. Nothing is opened any more. */
  async drain(): Promise<void> {
    this.stopping.abort();
    await Promise.all([...this.turns.values(), ...this.runners.map((runner) => runner.drain())]);
    // Those that were being opened meanwhile.
    await Promise.all(this.runners.map((runner) => runner.drain()));
  }

  /** True when it is served as the settings say, from now on at the latest. */
  private isInForce(name: string): boolean {
    const wanted = this.wanted(name);
    const runner = this.served.get(name)?.runner;
    if (wanted === undefined || runner === undefined) return wanted === runner;
    return isDeepStrictEqual({ ...runner.subscription }, { ...wanted }) || runner.adjust(wanted);
  }

  private async bring(name: string): Promise<void> {
    while (!this.stopping.signal.aborted && !this.isInForce(name)) {
      try {
        await this.close(name);
        const wanted = this.wanted(name);
        if (wanted === undefined) this.parts.gone(name);
        else if (!this.stopping.signal.aborted) await this.open(wanted);
      } catch (error) {
        this.log.error({ msg: 'a subscription could not be changed, will try again', subscription: name, err: error });
        await pause(this.parts.clock, retryMs, this.stopping.signal);
      }
    }
  }

  /** Each group is opened again once all have been closed, or could not be, and the topic has changed, or could not. */
  private resize(topic: string, names: readonly string[]): void {
    const closings = names.map(() => Promise.withResolvers<void>());
    const ensured = Promise.all(closings.map(({ promise }) => promise))
      .then(() => this.ensureTopic(topic))
      .catch((error: unknown) => this.log.error({ msg: 'a topic could not be changed', topic, err: error }));
    for (const [i, name] of names.entries()) {
      void this.inTurn(name, async () => {
        try {
          await this.close(name);
        } finally {
          closings[i]?.resolve();
        }
        await ensured;
        await this.bring(name);
      });
    }
  }

  private inTurn(name: string, work: () => Promise<void>): Promise<void> {
    const done = (this.turns.get(name) ?? Promise.resolve()).then(work);
    const quiet = done
      .catch((error: unknown) =>
        this.log.error({ msg: 'a subscription could not be changed', subscription: name, err: error }),
      )
      .finally(() => {
        if (this.turns.get(name) === quiet) this.turns.delete(name);
      });
    this.turns.set(name, quiet);
    return done;
  }

  private async open(subscription: SubscriptionSettings): Promise<void> {
    const { topic, groupId } = subscription;
    await this.ensureTopic(topic);
    await this.parts.place(subscription);
    const runner = this.parts.newRunner(subscription);
    await runner.prepare();
    for (const name of runner.topics) {
      const ofTopic = this.byTopic.get(name) ?? new Map<string, GroupRunner>();
      this.byTopic.set(name, ofTopic.set(groupId, runner));
    }
    const membership = await this.parts.transport.join(groupId, runner.topics, (name) => runner.interestIn(name));
    this.served.set(nameOf(topic, groupId), { runner, membership });
  }

  private async ensureTopic(topic: string): Promise<void> {
    const { topics, configWatch } = this.parts;
    await topics.ensure(configWatch.settings.topics.filter(({ name }) => name === topic));
  }

  /** Lets what is in flight end, commits, and leaves the group; what is not settled waits in the log. */
  private async close(name: string, work?: (membership: Membership) => Promise<void>): Promise<void> {
    const served = this.served.get(name);
    if (served === undefined) return;
    const { runner, membership } = served;
    await runner.drain();
    await work?.(membership);
    await this.parts.transport.leave(membership);
    for (const topic of runner.topics) {
      const ofTopic = this.byTopic.get(topic);
      ofTopic?.delete(runner.subscription.groupId);
      if (ofTopic?.size === 0) this.byTopic.delete(topic);
    }
    this.served.delete(name);
  }

  private wanted(name: string): SubscriptionSettings | undefined {
    const [topic, groupId] = name.split(' ') as [string, string];
    return this.parts.subscriptions.find(topic, groupId);
  }
}

export const nameOf = (topic: string, group: string) => `${topic} ${group}`;
