// Commits what the windows of a subscription have settled: together, every few milliseconds, one commit of a partition at a time.
import type { Broker, Membership, TopicPartition } from '../../broker/broker.js';
import type { Clock, Timer } from '../../message/clock.js';
import { textOf } from '../../message/errors.js';
import type { Inlet } from './intake.js';
import type { PartitionWindow } from './partition-window.js';

/** What settles within it is committed together. A crash repeats at most what settled since. */
const commitIntervalMs = 20;
/** After a commit that the broker refused. */
const commitRetryMs = 1000;

export interface OwnedWindow {
  readonly inlet: Inlet;
  readonly window: PartitionWindow;
  readonly membership: Membership;
  /** The commit under way; one at a time, so that an older one never overtakes a newer one. */
  committing: Promise<void> | null;
}

export interface CommitterParts {
  readonly broker: Broker;
  readonly clock: Clock;
  /** By `topic/partition`. */
  readonly windows: ReadonlyMap<string, OwnedWindow>;
  readonly report: (text: string, details: object) => void;
}

export class Committer {
  private timer: Timer | null = null;
  private stopped = false;

  constructor(private readonly parts: CommitterParts) {}

  /** What is settled by then goes with it. */
  soon(delayMs = commitIntervalMs): void {
    if (this.timer !== null || this.stopped) return;
    const { clock, windows } = this.parts;
    this.timer = clock.setTimer(delayMs, () => {
      this.timer = null;
      for (const owned of windows.values()) void this.commit(owned);
    });
  }

  /** Nothing is committed any more but by `commit`. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  /** What settles while a commit is under way goes with the next one. Never rejects. */
  async commit(owned: OwnedWindow): Promise<void> {
    while (owned.committing !== null) await owned.committing;
    const { window, membership, inlet } = owned;
    if (!window.isDirty) return;
    const { broker, report } = this.parts;
    const { maxMetadataBytes } = broker;
    const { spills } = inlet.owned;
    const doubtful = inlet.owned.doubtfulNote(window.partition.topic);
    const offset = window.takeCommit(maxMetadataBytes, spills.note(maxMetadataBytes / 2), doubtful);
    owned.committing = membership
      .commit(window.partition, offset)
      .catch((error: unknown) => {
        // Nothing is lost: what is not committed is delivered again after a restart.
        window.isDirty = true;
        report('commit failed, will be tried again', { ...window.partition, error: textOf(error) });
        if (!window.closed) this.soon(commitRetryMs);
      })
      .finally(() => {
        owned.committing = null;
      });
    await owned.committing;
  }
}

export const windowName = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;
