// Which keys change while the process runs; all others are as they were when it started.

/** The modules behind these adjust, or read the settings anew at each use. */
const live: ReadonlySet<string> = new Set([
  'log.level',
  'log.directory',
  'kafka.topics',
  'kafka.producer.acks',
  'kafka.producer.acl',
  'kafka.producer.channel.size',
  'kafka.consumer.list',
  'http.server.handler.channel.size',
  'http.server.handler.channel.bytes',
  'http.server.read.timeout',
  'http.server.write.timeout',
  'http.server.max.body.size',
  'http.server.pages',
  'http.server.max.headers',
  'http.server.max.connections',
  'http.server.stop.delay',
  'commit.default.acks',
  'commit.open.topics',
  'idempotency.ttl',
  'idempotency.max.keys',
  'reply.ttl',
  'reply.max.bytes',
  'reply.max.waiting',
  'reply.max.wait',
  'pull.max.waiting',
  'pull.max.wait',
  'management.token',
  'management.open',
  'egress.allow',
  'egress.ports',
  'egress.schemes',
  'egress.dns.servers',
]);

/** A new key needs a restart until somebody has made it live and says so here. */
export const needsRestart = (key: string): boolean => !live.has(key);
