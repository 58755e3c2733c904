// kmonitor's file: whose lag is told at GET /delay.
import { join } from 'node:path';
import { type Imported, logLevelOf, OldFile } from './old-file.js';

export function fromKmonitor(directory: string): Imported {
  const file = OldFile.read(join(directory, 'kmonitor.yaml'));
  const base = file.part('base');
  const server = file.part('http_server');
  const clusters = base.texts('clusters');
  // Each must be there, as kmonitor wanted it.
  for (const name of clusters) file.part(name).texts('zk_hosts');
  return {
    config: {
      'log.level': logLevelOf(base),
      'management.port': server.whole('port'),
      'monitor.clusters': clusters.map((name) => ({ name, servers: `${name}.example:9092` })),
      'kafka.topics': [],
      'kafka.producer.acl': [],
      'kafka.consumer.list': [],
    },
    notes: [
      ...clusters.map(
        (name) =>
          `monitor.clusters: ${name}: not known from ZooKeeper's hosts: name some of its nodes of Kafka in place of ${name}.example:9092`,
      ),
      'GET /delay is on the management listener, on 127.0.0.1: management.host and management.token let others ask',
      'groups that keep their places in ZooKeeper are not seen: those in Kafka are',
      'read_timeout_ms, write_timeout_ms: have gone',
    ],
  };
}
