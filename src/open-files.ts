// How many files and sockets this process may have open, against what its settings let it open: told once, at the start.
import { readFileSync } from 'node:fs';
import type { Settings } from './config-watch/settings.js';

/** Of the second listener, the log, Kafka and Redis, and of the runtime itself. */
const others = 512;
const soft = /^Max open files\s+(\d+)/m;

/** The soft limit, which Node has raised to the hard one; null where the system does not say, or has none. */
export function openFilesLimit(file = '/proc/self/limits'): number | null {
  try {
    const limit = soft.exec(readFileSync(file, 'utf8'))?.[1];
    return limit === undefined ? null : Number(limit);
  } catch {
    return null;
  }
}

/**
 * What to warn of; null for nothing. Counted are connections of callers and attempts in flight, which cannot be done without; kept
 * connections to receivers (16,384 at most) are given up where there are fewer destinations.
 */
export function tooFewOpenFiles({ server, subscriptions }: Settings, limit: number | null): object | null {
  const attempts = subscriptions.reduce((sum, { concurrency }) => sum + concurrency.max, 0);
  const wanted = server.maxConnections + attempts + others;
  if (limit === null || limit >= wanted) return null;
  const msg =
    'the limit of open files (ulimit -n) is below what the settings allow: raise it, or lower http.server.max.connections or concurrency';
  return { msg, limit, wanted, connections: server.maxConnections, attempts };
}
