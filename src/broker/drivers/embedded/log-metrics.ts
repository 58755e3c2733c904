// What /metrics says of the log on this machine's disk: its writes, its size, its room, its damage.
import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { EmbeddedBrokerSettings } from '../../../config-watch/settings.js';
import type { AddSample, Metrics, Shape } from '../../../stats/metrics/metrics.js';
import type { EmbeddedBroker } from './embedded.broker.js';
import { databaseFile, reserveFile } from './sqlite.schema.js';

const one = (type: Shape['type'], name: string, help: string): Shape => ({ name, help, type, labels: [] });

const shapes: readonly Shape[] = [
  one(
    'histogram',
    'bigpipe_log_fsync_duration_seconds',
    'One write of the log with its sync, which all who waited share',
  ),
  one('gauge', 'bigpipe_log_full', '1 while the log has room for nothing but marks, dead letters and retention'),
  one('gauge', 'bigpipe_log_bytes', "The log's files"),
  one('gauge', 'bigpipe_log_max_bytes', 'broker.embedded.max.bytes; +Inf where the disk is the bound'),
  one('gauge', 'bigpipe_disk_free_bytes', 'What may still be written to the disk of the data directory'),
  one('gauge', 'bigpipe_disk_size_bytes', 'The disk of the data directory'),
  one('gauge', 'bigpipe_disk_reserve_bytes', 'Room set aside for the day the log is full; 0 while it is in use'),
  one('counter', 'bigpipe_log_damaged_messages_total', 'Messages that cannot be read any more'),
  one('counter', 'bigpipe_log_unsettled_removed_total', 'Messages that the hard limit of retention took unsettled'),
  one('counter', 'bigpipe_unacknowledged_lost_total', 'Messages of acks 0 that could not be stored'),
];

export function registerLog(metrics: Metrics, broker: EmbeddedBroker, settings: EmbeddedBrokerSettings): void {
  metrics.register({
    shapes,
    read: async (add) => {
      const { counters, writeTimes, full } = broker;
      add('bigpipe_log_fsync_duration_seconds', writeTimes.figures);
      add('bigpipe_log_full', full ? 1 : 0);
      add('bigpipe_log_max_bytes', settings.maxBytes === 0 ? Number.POSITIVE_INFINITY : settings.maxBytes);
      add('bigpipe_log_damaged_messages_total', counters.damagedMessages);
      add('bigpipe_log_unsettled_removed_total', counters.unsettledRemoved);
      add('bigpipe_unacknowledged_lost_total', counters.unacknowledgedLost);
      await readDisk(add, settings.directory);
    },
  });
}

async function readDisk(add: AddSample, directory: string): Promise<void> {
  const path = join(directory, databaseFile);
  const [log, ahead, reserve] = await Promise.all([
    sizeOf(path),
    sizeOf(`${path}-wal`),
    sizeOf(join(directory, reserveFile)),
  ]);
  add('bigpipe_log_bytes', log + ahead);
  add('bigpipe_disk_reserve_bytes', reserve);
  // A disk that says nothing has no row.
  const disk = await statfs(directory).catch(() => null);
  if (disk === null) return;
  add('bigpipe_disk_free_bytes', disk.bavail * disk.bsize);
  add('bigpipe_disk_size_bytes', disk.blocks * disk.bsize);
}

/** 0 for a file that is not there. */
const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
