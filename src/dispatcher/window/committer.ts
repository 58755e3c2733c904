// Commits what the windows of a subscription have settled: at the process's moments, one commit of a partition at a time.
import type { Broker, CommittedOffset, Membership, TopicPartition } from '../../broker/broker.js';
import { type Clock, pause, type Timer } from '../../message/clock.js';
import { textOf } from '../../message/errors.js';
import type { Counter } from '../../stats/metrics/counted.js';
import { ByPartition, type PartitionValues } from './by-partition.js';
import type { CommitAsker, CommitMoments } from './commit-moments.js';
import type { Inlet } from './inlet.js';
import type { PartitionWindow } from './partition-window.js';

/** For what was only passed over: to read it again costs little. */
export const passedCommitMs = 1000;
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
  readonly moments: CommitMoments<PartitionWindow>;
  readonly windows: PartitionValues<OwnedWindow>;
  /** Where messages are moved to. */
  readonly copyTopics: readonly string[];
  readonly report: (text: string, details: object) => void;
  /** Of commits that the broker refused. */
  readonly failures: Counter;
}

export class Committer implements CommitAsker<PartitionWindow> {
  private timer: Timer | null = null;
  private dueMs = 0;
  private stopped = false;
  private readonly last = new ByPartition<CommittedOffset>();

  constructor(private readonly parts: CommitterParts) {}

  /** What is settled in the window by the next moment is committed then, or soon after it where many windows have settled something. */
  soon(window: PartitionWindow): void {
    if (!this.stopped) this.parts.moments.ask(this, window);
  }

  /** The same in all windows. */
  allSoon(): void {
    // Most are those of side topics in which nothing happens.
    for (const { window } of this.parts.windows.values()) if (window.isDirty) this.soon(window);
  }

  /** As `allSoon`, so many milliseconds later. */
  later(delayMs: number): void {
    if (this.stopped) return;
    const { clock } = this.parts;
    const dueMs = clock.elapsedMs() + delayMs;
    if (this.timer !== null) {
      if (this.dueMs <= dueMs) return;
      this.timer.cancel();
    }
    this.dueMs = dueMs;
    this.timer = clock.setTimer(delayMs, () => {
      this.timer = null;
      this.allSoon();
    });
  }

  commitInTurn(window: PartitionWindow): void {
    const owned = this.parts.windows.get(window.partition);
    if (owned?.window === window) void this.commit(owned);
  }

  /** Resolves once a durable commit says that all below `end` may have been sent, or when the window is closed. */
  async promise(owned: OwnedWindow, end: bigint): Promise<void> {
    const { window } = owned;
    while (!window.mayHandOutBelow(end) && !window.closed) {
      window.wantsToHandOutBelow(end);
      await this.commit(owned);
      if (window.mayHandOutBelow(end) || window.closed) return;
      await pause(this.parts.clock, commitRetryMs, window.closing.signal);
    }
  }

  /** What was committed here last, also of one that has gone; null when nothing was. */
  lastOf(partition: TopicPartition): CommittedOffset | null {
    return this.last.get(partition) ?? null;
  }

  /** Nothing is committed any more but by `commit`. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.parts.moments.forget(this);
  }

  /** What settles while a commit is under way goes with the next one. Never rejects. */
  async commit(owned: OwnedWindow): Promise<void> {
    while (owned.committing !== null) await owned.committing;
    const { window, membership, inlet } = owned;
    if (!window.isDirty) return;
    const { broker, report, failures } = this.parts;
    const { maxMetadataBytes } = broker;
    const { spills } = inlet.owned;
    // Of what was moved the other topics' commits tell.
    const isOfMoves = inlet.kind !== 'parked';
    const spilled = isOfMoves ? spills.note(maxMetadataBytes / 2) : '';
    const copies = isOfMoves ? this.copyNote(inlet) : '';
    const { offset, handedOutBelow } = window.takeCommit(maxMetadataBytes, spilled, copies);
    owned.committing = membership
      .commit(window.partition, offset)
      .then(() => {
        this.last.set(window.partition, offset);
        window.promised(handedOutBelow);
      })
      .catch((error: unknown) => {
        // Nothing is lost: what is not committed is delivered again after a restart.
        window.isDirty = true;
        failures.value += 1;
        report('commit failed, will be tried again', { ...window.partition, error: textOf(error) });
        if (!window.closed) this.later(commitRetryMs);
      })
      .finally(() => {
        owned.committing = null;
      });
    await owned.committing;
  }

  /** Until all that was found at the takeover is settled, the next owner must look from there on again. */
  private copyNote({ copyNote, adopted, owned, window, leftEnd }: Inlet): string {
    // With nothing under way there is nothing that the next owner could find.
    if (copyNote === null && window.isQuiet) return '';
    const isPending = copyNote !== null && (!adopted.isEmpty || window.nextOffset < leftEnd);
    return isPending ? copyNote : owned.copies.note(this.parts.copyTopics);
  }
}
