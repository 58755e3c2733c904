// A worker's part of the settings; pure.
import type { Settings, TopicLimitSettings } from '../config-watch/settings.js';

/**
 * With one worker the main process takes calls beside it: two processors have two processes that do. With more of them it is
 * left to the log and the deliveries, which all of them wait for.
 */
export const takesCallsItself = (workers: number): boolean => workers === 1;

/** Into so many parts what callers may have is shared out. */
export const partsOf = (workers: number): number => (takesCallsItself(workers) ? workers + 1 : workers);

/** Connections are shared out evenly, rounded up: together at least the whole, and no share is nothing. */
export function shareOf(settings: Settings, parts: number): Settings {
  const { server, log, producer } = settings;
  return {
    ...settings,
    // Workers hand their lines to the main process, which alone writes files.
    log: { ...log, directory: null },
    // What becomes of a message is not a door's business, and its words do not travel.
    subscriptions: [],
    producer: { ...producer, topicLimits: limitShares(producer.topicLimits, parts) },
    server: { ...server, maxConnections: Math.ceil(server.maxConnections / parts) },
  };
}

/** Together the whole rate; a burst is at least one message each. */
export function limitShares(limits: readonly TopicLimitSettings[], parts: number): TopicLimitSettings[] {
  return limits.map(({ topic, rate: { perSecond, burst } }) => ({
    topic,
    rate: { perSecond: perSecond / parts, burst: Math.max(1, burst / parts) },
  }));
}
