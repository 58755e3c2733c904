// All subscriptions of this bigpipe: those of the configuration file, and those that were registered; the file wins.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { readSubscription } from '../config-watch/registered-subscription.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { delayTiers, delayTopic, overflowTopic, ownTopics, parkedTopic } from '../message/side-topic.js';
import { maxLeases } from './leases.js';
import type { Registration } from './registration-table.js';
import { Registrations } from './registrations.js';

const nameOf = (topic: string, groupId: string) => `${topic} ${groupId}`;

@Injectable()
export class Subscriptions {
  private readonly log = new Logger('Subscriptions');
  /** Without leases. */
  private plain = new Map<string, SubscriptionSettings>();
  private byName = new Map<string, SubscriptionSettings>();
  private list: readonly SubscriptionSettings[] | null = null;
  /** Read once a version. */
  private readonly read = new Map<
    string,
    { readonly version: string; readonly settings: SubscriptionSettings | null }
  >();
  /** Registered, and not in force. */
  private notInForce = new Map<string, string>();

  constructor(
    private readonly configWatch: ConfigWatch,
    readonly registrations: Registrations,
  ) {
    this.refresh();
  }

  get all(): readonly SubscriptionSettings[] {
    this.list ??= [...this.byName.values()];
    return this.list;
  }

  find(topic: string, groupId: string): SubscriptionSettings | undefined {
    return this.byName.get(nameOf(topic, groupId));
  }

  /** Of one group: of all topics that the file says, or the one that was registered. */
  ofGroup(groupId: string): readonly SubscriptionSettings[] {
    return this.all.filter((subscription) => subscription.groupId === groupId);
  }

  /** Those of the file, without what has a lease. */
  ofFile(groupId: string): readonly SubscriptionSettings[] {
    return this.configWatch.settings.subscriptions.filter((subscription) => subscription.groupId === groupId);
  }

  /** Why what was registered is not in force; null when it is. */
  whyNotInForce(groupId: string): string | null {
    return this.notInForce.get(groupId) ?? null;
  }

  /** Anew from the file, the registrations and the leases. */
  refresh(): void {
    const { subscriptions } = this.configWatch.settings;
    const before = this.notInForce;
    this.plain = new Map(subscriptions.map((one) => [nameOf(one.topic, one.groupId), one]));
    this.notInForce = new Map();
    const taken = new Map(subscriptions.flatMap((one) => sideTopicsOf(one).map((name) => [name, one.groupId])));
    for (const [group, registration] of this.registrations.groups) {
      const settings = this.settingsOf(group, registration);
      const why = settings === null ? 'it cannot be read' : this.whyNot(settings, taken);
      if (why === null && settings !== null) {
        this.plain.set(nameOf(settings.topic, group), settings);
        for (const name of sideTopicsOf(settings)) taken.set(name, group);
        continue;
      }
      this.notInForce.set(group, why as string);
      if (before.get(group) !== why) this.log.warn({ msg: 'a registered subscription is not in force', group, why });
    }
    this.byName = new Map([...this.plain].map(([name, one]) => [name, this.withLeases(one)]));
    this.list = null;
    for (const group of this.read.keys()) if (!this.registrations.groups.has(group)) this.read.delete(group);
  }

  /** Only its leases have changed. */
  refreshEndpoints(groupId: string): void {
    for (const [name, one] of this.plain) if (one.groupId === groupId) this.byName.set(name, this.withLeases(one));
    this.list = null;
  }

  /** Why a subscription cannot be there beside the file and the others; null when it can. */
  against(settings: SubscriptionSettings): string | null {
    return this.whyNot(
      settings,
      new Map(this.all.flatMap((one) => sideTopicsOf(one).map((name) => [name, one.groupId]))),
    );
  }

  /** `taken`: which topics are somebody's own. */
  private whyNot(settings: SubscriptionSettings, taken: ReadonlyMap<string, string>): string | null {
    const { topic, groupId, needsConsent } = settings;
    const { topics, subscriptions, webhook } = this.configWatch.settings;
    if (subscriptions.some((one) => one.groupId === groupId))
      return `the configuration file names the group ${groupId}, and the file wins`;
    if (needsConsent && webhook.origin === null)
      return 'handshake: found "required", allowed: where the configuration file says webhook.origin';
    const known = topics.map(({ name }) => name).filter((name) => !ownTopics.includes(name));
    if (!known.includes(topic))
      return `topic: found ${JSON.stringify(topic)}, allowed: a topic of kafka.topics (${known.join(', ')})`;
    const twice = sideTopicsOf(settings).find(
      (name) => known.includes(name) || ownTopics.includes(name) || (taken.get(name) ?? groupId) !== groupId,
    );
    return twice === undefined ? null : `its topic ${twice} is there already`;
  }

  private settingsOf(group: string, { version, document, starts }: Registration): SubscriptionSettings | null {
    const known = this.read.get(group);
    if (known?.version === version) return known.settings;
    const read = readSubscription(group, document);
    const settings = 'topic' in read ? { ...read, ...(starts === null ? {} : { startAt: { offsets: starts } }) } : null;
    this.read.set(group, { version, settings });
    return settings;
  }

  /** Those that the settings name, and behind them those that have registered themselves. */
  private withLeases(settings: SubscriptionSettings): SubscriptionSettings {
    const { endpoints, groupId } = settings;
    const leases = endpoints === null ? [] : this.registrations.endpointsOf(groupId);
    if (endpoints === null || leases.length === 0) return settings;
    const fixed = new Set(endpoints.map(({ url }) => url));
    const leased = leases.filter(({ url }) => !fixed.has(url));
    return { ...settings, endpoints: [...endpoints, ...leased].slice(0, maxLeases) };
  }
}

function sideTopicsOf({ topic, groupId, deadLetterTopic }: SubscriptionSettings): string[] {
  const letters = deadLetterTopic === null ? [] : [deadLetterTopic];
  const delays = delayTiers.map((tier) => delayTopic(topic, groupId, tier));
  return [overflowTopic(topic, groupId), parkedTopic(topic, groupId), ...delays, ...letters];
}
