// Where the other nodes reach this one, from what the settings say and what the machine has.
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Settings } from './settings.js';

const anyAddress: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

/** The origin of the main listener; null where nodes do not ask one another, or while its port is not known (0). */
export function addressOf({ cluster, server }: Pick<Settings, 'cluster' | 'server'>, port: number): string | null {
  if (cluster.secret === null) return null;
  if (cluster.advertise !== null) return cluster.advertise;
  if (port === 0) return null;
  const host = anyAddress.has(server.host) ? (firstAddress() ?? 'localhost') : server.host;
  return `${server.tls === null ? 'http' : 'https'}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Others can reach it; null where there is only loopback. */
function firstAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;
}
