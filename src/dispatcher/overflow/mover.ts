// Moves messages to the subscription's own topics, in order: appended first, settled where they were after that.
import type { Broker } from '../../broker/broker.js';
import { type Clock, pause } from '../../message/clock.js';
import { type Delivery, leftToWaitMs } from '../../message/delivery.js';
import { textOf } from '../../message/errors.js';
import { type Message, type Position, weightOf } from '../../message/message.js';
import { withSideNote } from '../../message/side-message.js';
import { delayTiers, delayTopic, overflowTopic } from '../../message/side-topic.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import type { Work } from '../window/partition-window.js';

/** One append takes at most so many, or one larger message: callers' appends wait behind it. */
const maxBatchMessages = 1024;
const maxBatchBytes = 262_144;
/** Between attempts while the broker refuses. */
const retryMs = 1000;

export interface MoverParts {
  readonly broker: Broker;
  readonly clock: Clock;
  readonly topic: string;
  readonly group: string;
  /** The copy is durable, at `offset` of its topic: the original is settled. */
  readonly moved: (move: Move, offset: bigint) => void;
  /** The log has no room. Takes back what can wait where it was, and returns what cannot. */
  readonly refused: (moves: readonly Move[]) => Move[];
  /** What stands among the dead letters for a message whose key is parked. */
  readonly parkedLetterOf: (delivery: Delivery) => Message;
  readonly report: (text: string, details: object) => void;
}

export interface Move {
  readonly work: Work;
  readonly owned: OwnedPartition;
  readonly to: 'overflow' | 'delay' | 'dead letter';
  /** How often it has been moved within the overflow, with this time; null for one that goes elsewhere. */
  readonly hop: number | null;
  readonly message: Message;
  /** Those that were moved together; null for one alone. */
  readonly wave: Wave | null;
}

interface Wave {
  pending: number;
  /** With each of them goes all of its lane that was in a window: nothing there is before it. */
  readonly isOfLanes: boolean;
  /** All of them stand where they were moved to, or are back. */
  readonly release: () => void;
}

/** It stands there now, or is not moved after all. */
export function leaveWave({ wave, work, owned, to }: Move): void {
  if (to === 'overflow') owned.countMoving(work.lane, -1);
  if (wave === null) return;
  wave.pending -= 1;
  if (wave.pending === 0) wave.release();
}

const nextHop = ({ delivery: { side } }: Work) => (side?.hop ?? 0) + 1;

/**
 * Along a lane the older has a hop at least as high as the newer: what has a lower one than another goes behind it. `floorOf`: of a
 * lane's newest.
 */
function hopsOf(works: readonly Work[], floorOf: (work: Work) => number): ReadonlyMap<Work, number> {
  const hops = new Map<Work, number>();
  const ofLane = new Map<string, number>();
  for (const work of works.toReversed()) {
    const floor = work.lane === null ? 0 : (ofLane.get(work.lane) ?? floorOf(work));
    const hop = Math.max(nextHop(work), floor);
    hops.set(work, hop);
    if (work.lane !== null) ofLane.set(work.lane, hop);
  }
  return hops;
}

export class Mover {
  readonly overflowTopic: string;
  private queue: Move[] = [];
  private running = false;
  private refusedUntilMs = 0;

  constructor(private readonly parts: MoverParts) {
    this.overflowTopic = overflowTopic(parts.topic, parts.group);
  }

  /** The delay topics, in the order of delayTiers. */
  get delayTopics(): readonly string[] {
    const { topic, group } = this.parts;
    return delayTiers.map((tier) => delayTopic(topic, group, tier));
  }

  /** Creates the topics, with as many partitions as their origin has; side by side, since on Kafka each takes its time. */
  async prepare(partitions: number): Promise<void> {
    const { broker } = this.parts;
    const names = [this.overflowTopic, ...this.delayTopics];
    await Promise.all(names.map((name) => broker.ensureTopic({ name, partitions, retention: 'side' })));
  }

  /** True while it makes no sense to begin moving anything. */
  get isRefused(): boolean {
    return this.parts.clock.elapsedMs() < this.refusedUntilMs;
  }

  /** The work is in no lane and no queue. Those of one lane are moved in the order of the calls. */
  move(work: Work, owned: OwnedPartition): void {
    this.toOverflow(work, owned, nextHop(work), null);
  }

  /**
   * Several at once, in order. Until the last of them stands there, the next owner looks for the copies of the first:
   * along a lane what was not copied yet comes behind what was.
   */
  moveAll(works: readonly Work[], owned: OwnedPartition, end: bigint): void {
    const hops = hopsOf(works, () => 0);
    this.moveWave(works, hops, owned, end, false);
  }

  /** The same with whole lanes, also of such that have messages in the overflow: these come behind. */
  moveLanes(works: readonly Work[], owned: OwnedPartition, end: bigint): void {
    const { spills } = owned;
    const highest = (work: Work) => Math.max(spills.highestUnread(work), spills.highestLeft(work));
    const hops = hopsOf(works, (work) => highest(work) + 1);
    this.moveWave(works, hops, owned, end, true);
  }

  private moveWave(
    works: readonly Work[],
    hops: ReadonlyMap<Work, number>,
    owned: OwnedPartition,
    end: bigint,
    isOfLanes: boolean,
  ): void {
    const wave = { pending: works.length, release: owned.copies.begin(this.overflowTopic, end), isOfLanes };
    for (const work of works) this.toOverflow(work, owned, hops.get(work) as number, wave);
  }

  private toOverflow(work: Work, owned: OwnedPartition, hop: number, wave: Wave | null): void {
    owned.spills.appending(work, hop);
    owned.countMoving(work.lane, 1);
    this.copy(work, owned, 'overflow', hop, this.overflowTopic, wave);
  }

  /** To the largest delay tier that is not longer than its wait. It is in no lane, and its wait is at least the smallest. */
  delay(work: Work, owned: OwnedPartition): void {
    const waitMs = leftToWaitMs(work.delivery, this.parts.clock.now());
    const tier = delayTiers.findLast(({ ms }) => ms <= waitMs) ?? delayTiers[0];
    this.copy(work, owned, 'delay', null, delayTopic(this.parts.topic, this.parts.group, tier));
  }

  /** To the dead letters, behind what its key has there. It is in no lane. */
  park(work: Work, owned: OwnedPartition): void {
    const { delivery, lane } = work;
    const { parkedLetterOf } = this.parts;
    owned.parked.moving(lane as string, delivery.side !== null);
    this.enqueue({ work, owned, to: 'dead letter', hop: null, message: parkedLetterOf(delivery), wave: null });
  }

  private copy(
    work: Work,
    owned: OwnedPartition,
    to: Move['to'],
    hop: number | null,
    name: string,
    wave: Wave | null = null,
  ): void {
    const { delivery } = work;
    const { source, origin, side, attempt, redelivery, firstAttemptMs, id } = delivery;
    const { topic, partition, offset } = source;
    const nowMs = this.parts.clock.now();
    const headers = withSideNote(
      source,
      {
        from: { topic, partition, offset },
        origin,
        owner: owned.owner,
        hop: hop ?? side?.hop ?? 0,
        attempts: attempt - 1,
        redelivery: redelivery ?? '',
        firstAttemptMs,
        notBeforeMs: delivery.notBeforeMs === 0 ? 0 : nowMs + Math.max(0, leftToWaitMs(delivery, nowMs)),
      },
      id,
    );
    const message = { topic: name, partition, key: source.key, body: source.body, headers };
    this.enqueue({ work, owned, to, hop, message, wave });
  }

  private enqueue(move: Move): void {
    const { work } = move;
    work.stage = move.to === 'dead letter' ? 'dead letter' : 'moving';
    work.stageMs = this.parts.clock.elapsedMs();
    work.window.begin();
    this.queue.push(move);
    if (!this.running) void this.run();
  }

  private async run(): Promise<void> {
    this.running = true;
    // What is moved in one turn of the event loop goes together.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.takeBatch();
      if (await this.write(batch)) continue;
      this.refusedUntilMs = this.parts.clock.elapsedMs() + retryMs;
      const waiting = [...batch, ...this.queue];
      this.queue = [];
      const stay = this.parts.refused(waiting);
      // Behind them comes what was parked instead.
      this.queue = [...stay, ...this.queue];
      await pause(this.parts.clock, retryMs);
    }
    this.running = false;
  }

  private takeBatch(): Move[] {
    let bytes = 0;
    let count = 0;
    // Where the log is full there is still room for dead letters, by themselves.
    const isLetter = this.queue[0]?.to === 'dead letter';
    for (const { message, to } of this.queue) {
      bytes += weightOf(message);
      if ((to === 'dead letter') !== isLetter) break;
      if (count > 0 && (count >= maxBatchMessages || bytes > maxBatchBytes)) break;
      count += 1;
    }
    return this.queue.splice(0, count);
  }

  /** False when the broker refused. What belongs to a partition that has gone is not appended any more: it is still where it was. */
  private async write(batch: readonly Move[]): Promise<boolean> {
    const { broker, report, moved } = this.parts;
    let positions: readonly (Position | null)[] = [];
    const open = batch.filter(({ work: { window } }) => !window.abort.aborted);
    try {
      const messages = open.map(({ message }) => message);
      const isWanted = () => open.every(({ work: { window } }) => window.isOurs);
      if (open.length > 0) positions = await broker.append(messages, -1, isWanted);
    } catch (error) {
      report('a message could not be moved, will try again', { topic: open[0]?.message.topic, error: textOf(error) });
      return false;
    }
    for (const [i, move] of open.entries()) {
      moved(move, positions[i]?.offset ?? 0n);
      leaveWave(move);
    }
    for (const { work } of batch) work.window.end();
    return true;
  }
}
