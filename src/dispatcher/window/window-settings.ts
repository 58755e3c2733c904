// What the settings of a subscription say to its windows: how many may be open, and how a message becomes a delivery.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import { parseCallUrl } from '../../message/call-url.js';
import type { DeliverySettings } from '../../message/delivery.js';
import { type RequestShape, UriTemplate } from '../../message/request-shape.js';
import { methodOf } from '../../subscription/body-method.js';
import type { WindowSettings } from './partition-window.js';

/** Unsettled messages a partition; twice the concurrency, so that one partition alone can use it all. */
const minWindow = 1024;
const mib = 1_048_576;
/** Of all partitions together, each of which has two large windows, its own and its overflow's; 16 MiB. */
const maxWeightOfAll = 16 * mib;
/** Of one window: from here on more is no faster, and less would hold up large messages. */
const [leastWeight, mostWeight] = [mib, 4 * mib];

/** `partitions`: how many are this member's now. */
export function windowSettingsOf(subscription: SubscriptionSettings, partitions: () => number): WindowSettings {
  const { concurrency, ordering } = subscription;
  const maxOpen = Math.max(minWindow, 2 * concurrency.max);
  const maxWeight = () => maxWeightOf(partitions());
  return { maxOpen, maxWeight, ordering, delivery: deliverySettingsOf(subscription) };
}

/** Of each large window of a member that has so many partitions. */
export function maxWeightOf(partitions: number): number {
  return Math.min(mostWeight, Math.max(leastWeight, maxWeightOfAll / (2 * partitions)));
}

function deliverySettingsOf(subscription: SubscriptionSettings): DeliverySettings {
  const { retries, timeoutMs, verdicts, maxAnswerBytes, signing, destinations, url, endpoints, answerTopic } =
    subscription;
  const names = new Map(destinations.flatMap(({ name, origins }) => origins.map((origin) => [origin, name])));
  const destinationOf = (origin: string) => names.get(origin) ?? origin;
  const defaultUrl = endpoints !== null ? 'group' : url === null ? null : parseCallUrl(url);
  const mailbox = subscription.isPulled ? subscription.groupId : null;
  const keepsAnswer = answerTopic !== null;
  const settings = { maxAttempts: retries + 1, timeoutMs, verdicts, maxAnswerBytes, keepsAnswer, signing };
  const { needsConsent } = subscription;
  return { ...settings, needsConsent, destinationOf, defaultUrl, mailbox, shape: requestShapeOf(subscription) };
}

function requestShapeOf({ uri, headers, methods }: SubscriptionSettings): RequestShape {
  return {
    uri: uri === null ? null : new UriTemplate(uri),
    headers: headers.flat(),
    methodOf: methods === null ? null : methodOf,
  };
}
