// A worker's part of the settings: what is bounded for the whole program is shared out evenly; pure.
import type { Settings } from '../config-watch/settings.js';

/** Rounded up, so that the shares are together at least the whole, and no share is nothing. */
export function shareOf(settings: Settings, workers: number): Settings {
  const part = (whole: number) => Math.ceil(whole / workers);
  const { producer, server, log } = settings;
  return {
    ...settings,
    // Workers hand their lines to the main process, which alone writes files.
    log: { ...log, directory: null },
    // What becomes of a message is not a door's business, and its words do not travel.
    subscriptions: [],
    producer: {
      ...producer,
      maxWaiting: part(producer.maxWaiting),
      maxWaitingBytes: part(producer.maxWaitingBytes),
    },
    server: { ...server, maxConnections: part(server.maxConnections) },
  };
}
