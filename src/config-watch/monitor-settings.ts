// The clusters whose lag is told, from the user's keys.
import type { Environment } from './env.js';
import type { Faults } from './faults.js';
import { entriesOf } from './json.js';
import { kafkaOf } from './kafka-settings.js';
import type { KafkaSection } from './schema/kafka.js';
import type { MonitorClusterEntry, MonitorSection } from './schema/monitor.js';
import type { MonitorSettings } from './settings.js';

const maxClusters = 32;
/** What a cluster of this process's own has no use for. */
const ofKafka = [
  'tls',
  'tlsCa',
  'tlsCert',
  'tlsKey',
  'tlsVerify',
  'saslMechanism',
  'saslUsername',
  'saslPassword',
] as const;

export function monitorOf(section: MonitorSection, kafka: KafkaSection, environment: Environment): MonitorSettings {
  const base = kafkaOf(kafka, 0, environment);
  return {
    intervalMs: section['monitor.interval'],
    clusters: section['monitor.clusters'].map((entry) => {
      const { name, servers, tls = false, saslMechanism } = entry;
      if (servers === undefined) return { name, kafka: null };
      return {
        name,
        kafka: {
          ...base,
          servers: servers.split(',').map((server) => server.trim()),
          clientId: `${base.clientId}-monitor`,
          tls: tls
            ? {
                caFile: entry.tlsCa ?? null,
                certFile: entry.tlsCert ?? null,
                keyFile: entry.tlsKey ?? null,
                verify: entry.tlsVerify ?? true,
              }
            : null,
          sasl:
            saslMechanism === undefined
              ? null
              : {
                  mechanism: saslMechanism,
                  username: entry.saslUsername ?? '',
                  password: entry.saslPassword ?? '',
                },
        },
      };
    }),
  };
}

/** Faults that no single value shows. */
export function collectMonitorFaults(section: MonitorSection, faults: Faults): void {
  const entries = entriesOf<MonitorClusterEntry>(section['monitor.clusters']);
  if (entries.length > maxClusters) {
    faults.push(`monitor.clusters: found ${entries.length} entries, allowed: ${maxClusters} at most`);
  }
  const names = new Set<string>();
  entries.forEach((entry, i) => {
    const path = `monitor.clusters[${i}]`;
    if (names.has(entry.name)) faults.push(`${path}.name: found ${faults.shown(entry.name)} a second time`);
    names.add(entry.name);
    const alien = entry.servers === undefined ? ofKafka.filter((key) => entry[key] !== undefined) : [];
    for (const key of alien) faults.push(`${path}.${key}: found beside no servers, allowed: for a Kafka only`);
    if (entry.saslMechanism === undefined) return;
    if (entry.saslUsername === undefined) faults.push(`${path}.saslUsername: found nothing beside a mechanism`);
    if (entry.saslPassword === undefined) faults.push(`${path}.saslPassword: found nothing beside a mechanism`);
  });
}
