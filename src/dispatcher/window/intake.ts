// Takes what was read into its window: to its lane, to the overflow, or to the dead letter; and makes room in a full one.
import type { Clock } from '../../message/clock.js';
import { cutLoose, isCutOut, messageHeader, type StoredMessage } from '../../message/message.js';
import { sideNoteOf } from '../../message/side-message.js';
import type { Letters } from '../dead-letters/letters.js';
import { leaveWave, type Move, type Mover } from '../overflow/mover.js';
import type { Deliverer } from '../sending/deliverer.js';
import type { ClientCounters, ConsumerCounters } from '../subscription-counters.js';
import { crowdOf } from './crowding.js';
import { heldLanesOf } from './held-lanes.js';
import type { Inlet } from './inlet.js';
import type { NotYet } from './not-yet.js';
import type { OwnedPartition } from './owned-partition.js';
import type { PartitionWindow, Reading, WindowSettings, Work } from './partition-window.js';

export interface IntakeParts {
  readonly groupId: string;
  readonly clock: Clock;
  readonly deliverer: Deliverer;
  readonly mover: Mover;
  readonly notYet: NotYet;
  readonly letters: Letters;
  readonly client: ClientCounters;
  readonly consumer: ConsumerCounters;
  /** Something of the window was settled here. */
  readonly settled: (window: PartitionWindow) => void;
  readonly report: (text: string, details: object) => void;
}

export class Intake {
  constructor(
    private readonly parts: IntakeParts,
    private readonly settings: WindowSettings,
  ) {}

  take(inlet: Inlet, stored: StoredMessage, nowMs: number): void {
    const { window, owned, kind } = inlet;
    const { client, consumer } = this.parts;
    const reading = window.read(stored, nowMs);
    if (reading.kind === 'settled') return;
    const isOthers = (stored.headers[messageHeader.onlyGroup] ?? this.parts.groupId) !== this.parts.groupId;
    if (kind === 'origin' && !isOthers) consumer.handleMessage += 1;
    if (inlet.adopted.take(stored.offset) || isLate(inlet, reading) || isOthers) {
      if (reading.kind === 'work') window.settle(reading.work);
      else window.settleOffset(stored.offset);
      this.parts.settled(window);
      return;
    }
    if (reading.kind === 'invalid') {
      consumer.invalidMessage += 1;
      this.buryInvalid(inlet, stored, reading.detail);
      return;
    }
    const { work } = reading;
    if (kind === 'origin') client.rpcTotal += 1;
    if (kind === 'overflow') this.cameBack(work, owned);
    else if (this.parts.notYet.take(work)) return;
    this.place(inlet, work);
  }

  /** It may go as far as its time is concerned. */
  place(inlet: Inlet, work: Work): void {
    const { window, owned } = inlet;
    if (this.follows(inlet, work)) {
      window.follow(work);
      this.parts.mover.move(work, owned);
    } else if (!owned.parked.holds(work.lane) && this.isCrowded(inlet, work)) this.parts.mover.move(work, owned);
    else {
      this.cutLooseIfStill(work);
      this.enter(work, owned);
    }
  }

  /** Nothing of the lane is before it outside of the lane. */
  enter(work: Work, owned: OwnedPartition): void {
    if (owned.parked.holds(work.lane)) this.parts.mover.park(work, owned);
    else if (owned.lanes.enter(work)) this.parts.deliverer.offer(work);
  }

  /** The next one of a lane may go; if its key is parked all of it follows to the dead letters. */
  handOn(next: Work | null, owned: OwnedPartition): void {
    let work = next;
    while (work !== null && work.resent === null && owned.parked.holds(work.lane)) {
      const follower = owned.lanes.leave(work);
      this.parts.mover.park(work, owned);
      work = follower;
    }
    if (work !== null) this.parts.deliverer.offer(work);
  }

  /** The highest original offset among those that an earlier owner left in the overflow; null for none. */
  lastOriginLeft({ rotation, leftEnd }: Inlet, messages: readonly StoredMessage[]): bigint | null {
    const [first] = messages;
    if (rotation === null || first === undefined || first.offset >= leftEnd) return null;
    let last: bigint | null = null;
    for (const { headers } of messages) {
      const offset = sideNoteOf(headers)?.origin.offset;
      if (offset !== undefined && (last === null || offset > last)) last = offset;
    }
    return last;
  }

  /** The batch is through. */
  readUpTo(inlet: Inlet, nextOffset: bigint, nowMs: number): void {
    inlet.window.readUpTo(nextOffset);
    inlet.adopted.readUpTo(nextOffset);
    inlet.rotation?.readUpTo(nextOffset, nowMs);
    this.checkWhatWasLeft(inlet);
  }

  /** How far what an earlier owner left in the overflow has been read, and settled. */
  checkWhatWasLeft({ window, owned, rotation, leftEnd }: Inlet): void {
    if (rotation === null) return;
    if (window.nextOffset >= leftEnd) owned.spills.readWhatWasLeft();
    if (window.mark >= leftEnd) owned.spills.settledWhatWasLeft();
  }

  /** The log has no room for these: those that nothing in the overflow is before wait in their lanes again; returns the others. */
  takeBack(moves: readonly Move[], inletOf: (window: PartitionWindow) => Inlet): Move[] {
    for (const { work, owned, hop } of moves) if (hop !== null) owned.spills.notAppended(work, hop);
    const stay: Move[] = [];
    for (const move of moves) {
      const { work, owned, hop } = move;
      const { window } = work;
      if (move.to === 'dead letter') {
        stay.push(move);
        continue;
      }
      if (hop !== null && move.wave?.isOfLanes !== true && !window.closed && this.follows(inletOf(window), work)) {
        owned.spills.appending(work, hop);
        window.follow(work);
        stay.push(move);
        continue;
      }
      leaveWave(move);
      work.stage = 'order';
      // Who comes after us must still find it behind those before it, unless nothing of its lane is here.
      if (!window.closed && owned.lanes.itemsOf(work.lane).length === 0) window.unfollow(work);
      if (!window.closed) this.enter(work, owned);
      window.end();
    }
    this.parts.deliverer.pump();
    return stay;
  }

  /** Moves what stands still out of a full window. `endOffset`, `overflowEnd`: the ends of its partition, and of the overflow's. */
  relieve(inlet: Inlet, endOffset: bigint, overflowEnd: bigint, nowMs: number): void {
    this.letLeave(inlet, endOffset, overflowEnd, nowMs);
    this.cutLooseWhatStays(inlet.window);
  }

  private letLeave(inlet: Inlet, endOffset: bigint, overflowEnd: bigint, nowMs: number): void {
    const { window, owned, rotation } = inlet;
    const isTurning = rotation === null || rotation.covers(window.nextOffset);
    if (!isTurning && !rotation.isDue(nowMs)) return;
    const held = this.parts.deliverer.holdsLong ? heldLanesOf(window, owned, nowMs) : [];
    // With one destination in the overflow nobody stands behind it but other keys.
    const isInTheWay = owned.spills.size > 1 || (held.length > 0 && window.nextOffset < endOffset);
    if (!isTurning && !(isInTheWay && rotation.begin(endOffset, nowMs))) return;
    const { deliverer, mover } = this.parts;
    if (mover.isRefused) return;
    for (const { dueMs } of held) owned.rotation.moved(dueMs);
    this.moveLanes(
      held.flatMap(({ works }) => works),
      owned,
      overflowEnd,
    );
    const crowd = crowdOf(window, owned.lanes, this.settings.maxOpen, (name) => deliverer.scheduler.standsStill(name));
    inlet.share = crowd.share;
    const leaving = new Set(crowd.leaving.filter((work) => !owned.spills.mayHaveUnread(work)));
    if (leaving.size === 0) return;
    deliverer.withdraw(leaving);
    owned.lanes.withdraw(leaving);
    mover.moveAll([...leaving], owned, overflowEnd);
  }

  /** What stands still may stand for long, and must not keep in memory what it came in or was read with. */
  private cutLooseWhatStays(window: PartitionWindow): void {
    const { scheduler } = this.parts.deliverer;
    if (!window.destinations().some((name) => scheduler.standsStill(name))) return;
    for (const work of window.works()) this.cutLooseIfStill(work);
  }

  private cutLooseIfStill({ delivery: { source, destination } }: Work): void {
    if (isCutOut(source) && this.parts.deliverer.scheduler.standsStill(destination)) cutLoose(source);
  }

  /** All that is in some lanes. */
  private moveLanes(works: readonly Work[], owned: OwnedPartition, overflowEnd: bigint): void {
    if (works.length === 0) return;
    const leaving = new Set(works);
    this.parts.deliverer.withdraw(leaving);
    owned.lanes.withdraw(leaving);
    this.parts.mover.moveLanes(works, owned, overflowEnd);
  }

  /** Earlier ones of its lane are in the overflow, or came from there and are not settled. */
  private follows({ owned, rotation, followFrom, adopted }: Inlet, work: Work): boolean {
    const { side, source } = work.delivery;
    const isBehind = adopted.isBehind(source.offset, work.lane);
    // It was held before what its owner had moved.
    if (isBehind === false && owned.spills.hasUnreadLeft) return false;
    const left = (isBehind ?? source.offset >= followFrom) ? owned.spills.highestLeft(work) : 0;
    const unread = Math.max(left, owned.spills.highestUnread(work));
    // Within the overflow a higher hop is older: what has a lower one goes behind it.
    if (rotation !== null) return unread > (side?.hop ?? 0);
    if (unread > 0 || owned.parked.isMovingCopies(work.lane)) return true;
    // Who comes after us must find all of a lane that is not in the overflow before what is.
    return (owned.lanes.itemsOf(work.lane).findLast(({ resent }) => resent === null)?.delivery.side ?? null) !== null;
  }

  /** Its destination stands still and has its share of the window. */
  private isCrowded({ window, owned, rotation, share }: Inlet, work: Work): boolean {
    const { destination, source } = work.delivery;
    if (rotation !== null && !rotation.covers(source.offset)) return false;
    if (this.parts.mover.isRefused || window.shareOf(destination) <= share || owned.spills.mayHaveUnread(work))
      return false;
    return this.parts.deliverer.scheduler.standsStill(destination);
  }

  private cameBack(work: Work, { spills, owner }: OwnedPartition): void {
    const { side } = work.delivery;
    if (side?.owner === owner) spills.read(work, side.hop);
  }

  private buryInvalid({ window, owned }: Inlet, stored: StoredMessage, detail: string): void {
    const { letters, settled, report } = this.parts;
    const { topic, partition, offset } = stored;
    const place = { topic, partition, offset: `${offset}` };
    report('message is invalid', { ...place, detail });
    const note = {
      reason: 'invalid',
      origin: stored,
      detail,
      status: 0,
      answer: '',
      attempts: 0,
      firstAttemptMs: 0,
    } as const;
    window.begin();
    void letters.keep(stored, note, window, owned.copies, (letter) => {
      if (letter !== null) {
        window.settleOffset(offset);
        settled(window);
      }
      window.end();
    });
  }
}

/**
 * A copy that an earlier owner made after the partition had gone from it: behind what was looked through for copies, its
 * original is ours, and is not done with.
 */
function isLate({ owned, leftEnd }: Inlet, reading: Reading): boolean {
  if (reading.kind !== 'work') return false;
  const { side, source } = reading.work.delivery;
  if (side === null || side.owner === owned.owner) return false;
  return source.offset >= (owned.adoptedOf(side.from.topic)?.lookedThrough.get(source.topic) ?? leftEnd);
}
