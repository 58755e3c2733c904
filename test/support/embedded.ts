// An embedded broker in a directory of its own, for tests below the process.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from '#src/broker/drivers/embedded/embedded.broker.js';
import { SqliteStore } from '#src/broker/drivers/embedded/sqlite.store.js';
import { SystemClock } from '#src/message/clock.js';

const dayMs = 86_400_000;

export interface EmbeddedHome {
  readonly directory: string;
  /** What was reported where nobody waits for an answer. */
  readonly reports: string[];
  make(options?: Partial<EmbeddedBrokerOptions> & { maxBytes?: number }): EmbeddedBroker;
  remove(): Promise<void>;
}

/** `base`: where its directory is made. */
export async function embeddedHome(base = tmpdir()): Promise<EmbeddedHome> {
  const directory = await mkdtemp(join(base, 'bigpipe-log-'));
  const reports: string[] = [];
  return {
    directory,
    reports,
    make: ({ maxBytes = 0, ...options } = {}) => {
      const all: EmbeddedBrokerOptions = {
        fsync: true,
        retentionMs: dayMs,
        retentionBytes: 1_073_741_824,
        retentionHardMs: 0,
        offsetsRetentionMs: 7 * dayMs,
        tailBytes: 1_048_576,
        clock: new SystemClock(),
        report: (text) => reports.push(text),
        ...options,
      };
      return new EmbeddedBroker(new SqliteStore({ directory, fsync: all.fsync, maxBytes }), all);
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
