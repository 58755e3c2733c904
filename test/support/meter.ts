// What a subscription counts into, where a test does not look at it.
import { DeliveryMeters, type SubscriptionMeter } from '#src/dispatcher/subscription-meter.js';
import { Metrics } from '#src/stats/metrics/metrics.js';

export const newMeter = (): SubscriptionMeter => new DeliveryMeters(new Metrics()).of('topic', 'group');
