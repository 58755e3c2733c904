// What all subscriptions of one topic want together: whether a message is wanted by anybody, counted once.
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type MessageHeaders, messageHeader } from '../message/message.js';
import { MessageFilter } from './message-filter.js';

export class TopicWants {
  /** Messages that no subscription of the topic wanted, of the partitions that are served here. */
  unmatched = 0;
  private filters: readonly MessageFilter[] = [];
  private teller: string | null = null;

  /** The subscriptions of the topic, from now on. */
  adjust(subscriptions: readonly SubscriptionSettings[]): void {
    this.filters = subscriptions.map((subscription) => new MessageFilter(subscription));
    // On all nodes the same one: whoever has its partition counts for all groups.
    this.teller = subscriptions.map(({ groupId }) => groupId).sort()[0] ?? null;
  }

  /** The group does not want the message. */
  refusedBy(groupId: string, headers: MessageHeaders, body: Buffer): void {
    if (groupId !== this.teller || headers[messageHeader.onlyGroup] !== undefined) return;
    if (!this.filters.some((filter) => filter.matches(headers, body))) this.unmatched += 1;
  }
}
