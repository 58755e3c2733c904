// kproxy's file: its port, its limits, its nodes of Kafka.
import { join } from 'node:path';
import { type Imported, logLevelOf, OldFile, partitionsNote } from './old-file.js';

const maxBodyBytes = 1_073_741_824;

export function fromKproxy(directory: string): Imported {
  const file = OldFile.read(join(directory, 'kproxy.yaml'));
  return {
    config: {
      'log.level': logLevelOf(file),
      'http.server.port': file.whole('port'),
      'http.server.read.timeout': Math.max(1, file.whole('read_timeout_ms')),
      'http.server.write.timeout': Math.max(1, file.whole('write_timeout_ms')),
      'http.server.max.body.size': Math.min(maxBodyBytes, file.whole('max_request_size_bytes')),
      'commit.default.acks': 1,
      'commit.open.topics': [],
      'broker.driver': 'kafka',
      'kafka.bootstrap.servers': file.texts('broker_hosts').join(','),
      'kafka.topics': [],
      'kafka.producer.acl': [],
      'kafka.consumer.list': [],
    },
    notes: [
      'kafka.topics: kproxy took any topic: name those that are written',
      'commit.open.topics: kproxy asked nobody who it is: name topics that may be written without an ACL entry, or give callers one',
      'keys choose their partition by murmur2, as Kafka’s own clients do; kproxy had FNV-1a: order per key holds among what was written by one of the two',
      'the log goes to stdout; log.directory writes files too',
      'req_pool_size, producer_num: have gone',
      partitionsNote,
    ],
  };
}
