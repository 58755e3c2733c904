// The Go bigpipe's file: its keys are ours; what it took and we refuse is told with what to write instead.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Imported, OldFile } from './old-file.js';

interface OldConsumer {
  rateLimit?: unknown;
  timeout?: unknown;
  retries?: unknown;
  concurrency?: unknown;
  circuitBreaker?: Record<string, unknown>;
}

export function fromBigpipeGo(directory: string): Imported {
  const inConf = join(directory, 'conf', 'bigpipe.json');
  const file = OldFile.read(existsSync(inConf) ? inConf : join(directory, 'bigpipe.json'));
  const notes = [
    'callers whose secret is wrong are refused; the original never compared it',
    'a group that is new begins at the oldest message, not at the newest',
    'success is any 2xx, and there is a backoff between retries; "successOn": [200], "rejectOn": [] is the old way',
    'egress.allow: calls to private addresses are refused unless it names them; name your receivers',
    'kafka.message.format: bigpipe-go writes what old nodes on the same topics can read',
  ];
  const consumers = (
    Array.isArray(file.all['kafka.consumer.list']) ? file.all['kafka.consumer.list'] : []
  ) as OldConsumer[];
  const config = {
    ...file.all,
    'broker.driver': 'kafka',
    'kafka.message.format': 'bigpipe-go',
    'kafka.consumer.list': consumers.map((consumer, i) => consumerOf(consumer, `kafka.consumer.list[${i}]`, notes)),
  };
  return { config, notes };
}

/** Numbers as the original cut them, and what it understood by 0. */
function consumerOf(consumer: OldConsumer, path: string, notes: string[]): OldConsumer {
  const changed = { ...consumer };
  const put = (key: 'rateLimit' | 'timeout' | 'retries' | 'concurrency', value: number, why: string) => {
    changed[key] = value;
    notes.push(`${path}.${key}: ${JSON.stringify(consumer[key])} ${why}, written as ${value}`);
  };
  if (Math.trunc(Number(consumer.rateLimit)) <= 0) put('rateLimit', 1_000_000, 'meant no limit');
  if (Number(consumer.timeout) === 0) put('timeout', 86_400_000, 'meant none');
  if (Number(consumer.retries) < 0) put('retries', 0, 'meant no request at all');
  if (Number(consumer.concurrency) <= 0) put('concurrency', 1, 'let the group stand still');
  const health = Number(consumer.circuitBreaker?.['healthRate']);
  if (health > 1) {
    changed.circuitBreaker = { ...consumer.circuitBreaker, healthRate: Math.min(1, health / 100) };
    notes.push(
      `${path}.circuitBreaker.healthRate: ${health} was never reached, written as ${Math.min(1, health / 100)}`,
    );
  }
  return changed;
}
