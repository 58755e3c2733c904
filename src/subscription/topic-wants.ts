// What all subscriptions of one topic want together: whether a message is wanted by anybody, counted once.
import { InterestIndex } from '../broker/interest-index.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { type MessageHeaders, messageHeader } from '../message/message.js';
import { MessageFilter } from './message-filter.js';

export class TopicWants {
  /** Messages that no subscription of the topic wanted, of the partitions that are served here. */
  unmatched = 0;
  private index = new InterestIndex<string>();
  private filters = new Map<SubscriptionSettings, MessageFilter>();
  private first: string | null = null;

  /** The group that is to see all of the topic, so that somebody counts what nobody wants; null when there is none. */
  get teller(): string | null {
    return this.first;
  }

  /** The subscriptions of the topic, from now on. */
  adjust(subscriptions: readonly SubscriptionSettings[]): void {
    const known = this.filters;
    this.filters = new Map(subscriptions.map((one) => [one, known.get(one) ?? new MessageFilter(one)]));
    this.index = new InterestIndex();
    for (const [{ groupId }, filter] of this.filters) this.index.set(groupId, groupId, filter);
    // On all nodes the same one: whoever has its partition counts for all groups.
    this.first = subscriptions.map(({ groupId }) => groupId).sort()[0] ?? null;
  }

  /** The group does not want the message. */
  refusedBy(groupId: string, headers: MessageHeaders, body: Buffer): void {
    if (groupId !== this.teller || headers[messageHeader.onlyGroup] !== undefined) return;
    if (this.index.whoWants(headers, body).length === 0) this.unmatched += 1;
  }
}
