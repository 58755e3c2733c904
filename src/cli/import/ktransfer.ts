// ktransfer's modules as subscriptions.
import { join } from 'node:path';
import { CommandError } from '../command.js';
import { type Imported, logLevelOf, OldFile, partitionsNote, topicEntry } from './old-file.js';

/** In place of no bound. */
const dayMs = 86_400_000;
const anyRate = 1_000_000;
const maxRetries = 1000;

/** `directory` holds ktransfer.yaml and the modules, where it says or in modules/. */
export function fromKtransfer(directory: string): Imported {
  const main = OldFile.read(join(directory, 'ktransfer.yaml'));
  const names = main.texts('module_enabled');
  const modules = names.map((name) => ({ name, file: moduleOf(directory, main.text('module_conf_dir'), name) }));
  const notes: string[] = [
    "kafka.bootstrap.servers: not known from ZooKeeper's hosts: name some nodes of Kafka",
    'the places up to which the modules had read stand in ZooKeeper: a new group begins at the oldest message; go on elsewhere with bigpipe offsets reset',
    'rateLimit: there was none, 1000000 a second is as good as none',
    'what cannot be delivered stands in a dead-letter topic; ktransfer dropped it',
    partitionsNote,
  ];
  const entries = modules.map(({ name, file }) => entryOf(name, file, notes));
  const topics = [...new Set(entries.map(({ topic }) => topic))];
  return {
    config: {
      'log.level': logLevelOf(main),
      'broker.driver': 'kafka',
      'kafka.topics': topics.map(topicEntry),
      'kafka.producer.acl': [],
      'kafka.consumer.list': entries,
      'egress.allow': hostsOf(modules.map(({ file }) => file)),
    },
    notes,
  };
}

function moduleOf(directory: string, named: string, module: string): OldFile {
  // The directory is named from where ktransfer was started, often ./conf/modules.
  const places = [join(directory, named), join(directory, 'modules'), join(directory, '..', named), directory, named];
  for (const place of places) {
    try {
      return OldFile.read(join(place, `${module}.yaml`));
    } catch (error) {
      if (!(error instanceof CommandError && error.message.endsWith('is not there'))) throw error;
    }
  }
  throw new CommandError(`the module ${module} is in none of ${places.join(', ')}`);
}

function entryOf(name: string, file: OldFile, notes: string[]) {
  const protocol = file.part('protocol');
  if (protocol.text('name') !== 'http')
    throw new CommandError(`${file.name}: protocol.name: found ${protocol.text('name')}, allowed: http`);
  const [readMs, writeMs] = [protocol.whole('read_timeout_ms'), protocol.whole('write_timeout_ms')];
  if (readMs === 0 || writeMs === 0) notes.push(`${name}: timeout: there was none, a day is as good as none`);
  notes.push(`${name}: timeout bounds connecting too (conn_timeout_ms ${protocol.whole('conn_timeout_ms')})`);
  const uri = protocol.text('uri');
  if (uri.includes('{#KEY}')) notes.push(`${name}: uri: {#KEY} is the key; ktransfer cut the URL off there`);
  if (uri.includes('{#METHOD}') && !file.has('methods'))
    notes.push(`${name}: uri: {#METHOD} is * as before, since no methods are named`);
  const servers = file.texts('backend_servers');
  notes.push(`${name}: window_size ${file.whole('window_size')} has gone: bigpipe bounds what is unsettled by itself`);
  return {
    topic: file.text('topic'),
    groupId: name,
    endpoints: servers.map((server) => ({ url: `http://${server}/` })),
    uri,
    headers: protocol.pairs('headers'),
    ...(file.has('methods') ? { methods: file.texts('methods') } : {}),
    rateLimit: anyRate,
    concurrency: Math.max(1, file.whole('worker_num')),
    timeout: readMs === 0 || writeMs === 0 ? dayMs : readMs + writeMs,
    ...retriesOf(name, file.whole('max_retry_times'), notes),
    retryBackoff: [Math.max(1, file.whole('fail_retry_interval_ms'))],
    ordering: file.flag('serialize_by_key', true) ? 'key' : 'none',
    // As there: exactly 200 is success, and everything else is tried again.
    successOn: [200],
    retryOn: ['201-599'],
    rejectOn: [],
  };
}

function retriesOf(name: string, times: number, notes: string[]): object {
  if (times >= 0) return { retries: Math.min(maxRetries, times) };
  if (times < -1) return { retries: 0 };
  notes.push(`${name}: max_retry_times -1: tried for ever (poison: block), holding nothing but its own key`);
  return { retries: maxRetries, poison: 'block' };
}

/** Receivers in a private network must be named. */
function hostsOf(files: readonly OldFile[]): string[] {
  const hosts = files.flatMap((file) => file.texts('backend_servers').map((server) => server.replace(/:\d+$/, '')));
  return [...new Set(hosts)];
}
