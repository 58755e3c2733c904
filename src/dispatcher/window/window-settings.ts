// What the settings of a subscription say to its windows: how many may be open, and how a message becomes a delivery.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import { parseCallUrl } from '../../message/call-url.js';
import type { DeliverySettings } from '../../message/delivery.js';
import { type RequestShape, UriTemplate } from '../../message/request-shape.js';
import { methodOf } from '../../subscription/body-method.js';
import type { WindowSettings } from './partition-window.js';

/** Unsettled messages a partition; twice the concurrency, so that one partition alone can use it all. */
const minWindow = 1024;

export function windowSettingsOf(subscription: SubscriptionSettings): WindowSettings {
  const { concurrency, ordering } = subscription;
  const maxOpen = Math.max(minWindow, 2 * concurrency.max);
  return { maxOpen, ordering, delivery: deliverySettingsOf(subscription) };
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
