// A worker's part of the settings; pure.
import type { Settings } from '../config-watch/settings.js';

/** Connections are shared out evenly, rounded up: together at least the whole, and no share is nothing. */
export function shareOf(settings: Settings, workers: number): Settings {
  const { server, log } = settings;
  return {
    ...settings,
    // Workers hand their lines to the main process, which alone writes files.
    log: { ...log, directory: null },
    // What becomes of a message is not a door's business, and its words do not travel.
    subscriptions: [],
    server: { ...server, maxConnections: Math.ceil(server.maxConnections / workers) },
  };
}
