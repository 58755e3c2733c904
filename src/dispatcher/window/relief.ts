// Full windows: their reading is paused, what stands still leaves them, and they are read on once there is room.
import type { TopicPartition } from '../../broker/broker.js';
import type { Clock, Timer } from '../../message/clock.js';
import type { PartitionValues } from './by-partition.js';
import type { OwnedWindow } from './committer.js';
import type { Inlet } from './inlet.js';
import type { Intake } from './intake.js';
import type { PartitionWindow } from './partition-window.js';

/** While a window is full: how often it is looked for somebody who has come to stand still since. */
const relieveIntervalMs = 200;

export interface ReliefParts {
  readonly clock: Clock;
  readonly intake: Intake;
  readonly windows: PartitionValues<OwnedWindow>;
  readonly overflowTopic: string;
  /** The end of a partition. */
  readonly endOf: (partition: TopicPartition) => bigint;
}

export class Relief {
  private timer: Timer | null = null;
  private stopped = false;

  constructor(private readonly parts: ReliefParts) {}

  /** A batch was taken into the window. */
  pauseIfFull({ inlet, window, membership }: OwnedWindow): void {
    if (!window.isFull) return;
    window.isPaused = true;
    membership.pause(window.partition);
    this.relieve(inlet);
    this.relieveLater();
  }

  resumeIfRoom(window: PartitionWindow): void {
    if (!window.isPaused || !window.hasRoom || window.closed) return;
    window.isPaused = false;
    this.parts.windows.get(window.partition)?.membership.resume(window.partition);
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private relieve(inlet: Inlet): void {
    const { endOf, overflowTopic, intake, clock } = this.parts;
    const { partition } = inlet.window;
    const overflowEnd = endOf({ topic: overflowTopic, partition: partition.partition });
    intake.relieve(inlet, endOf(partition), overflowEnd, clock.elapsedMs());
  }

  private relieveLater(): void {
    if (this.timer !== null || this.stopped) return;
    const { clock, windows } = this.parts;
    this.timer = clock.setTimer(relieveIntervalMs, () => {
      this.timer = null;
      for (const { inlet, window } of windows.values()) {
        if (!window.isPaused) continue;
        this.relieve(inlet);
        this.relieveLater();
      }
    });
  }
}
