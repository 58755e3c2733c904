// What lanes and dead letters of a subscription hang on: while it stays, its settings change under them.
import { isDeepStrictEqual } from 'node:util';
import type { SubscriptionSettings } from '../config-watch/settings.js';

/** True when what lanes and dead letters hang on stays the same. */
export function keepsIdentity(before: SubscriptionSettings, after: SubscriptionSettings): boolean {
  return isDeepStrictEqual(identityOf(before), identityOf(after));
}

function identityOf(subscription: SubscriptionSettings): object {
  const { topic, groupId, url, endpoints, isPulled, ordering, destinations, deadLetterTopic } = subscription;
  const names = destinations.map(({ name, origins }) => ({ name, origins }));
  return { topic, groupId, url, isGroup: endpoints !== null, isPulled, ordering, names, deadLetterTopic };
}
