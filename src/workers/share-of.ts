// A worker's part of the settings; pure.
import type { Settings, TopicLimitSettings } from '../config-watch/settings.js';

/** Connections are shared out evenly, rounded up: together at least the whole, and no share is nothing. */
export function shareOf(settings: Settings, workers: number): Settings {
  const { server, log, producer } = settings;
  return {
    ...settings,
    // Workers hand their lines to the main process, which alone writes files.
    log: { ...log, directory: null },
    // What becomes of a message is not a door's business, and its words do not travel.
    subscriptions: [],
    producer: { ...producer, topicLimits: producer.topicLimits.map((limit) => limitShare(limit, workers)) },
    server: { ...server, maxConnections: Math.ceil(server.maxConnections / workers) },
  };
}

/** Together the whole rate; a burst is at least one message each. */
function limitShare({ topic, rate }: TopicLimitSettings, workers: number): TopicLimitSettings {
  return { topic, rate: { perSecond: rate.perSecond / workers, burst: Math.max(1, rate.burst / workers) } };
}
