// What is done with each batch that the broker hands over, by the kind of topic it comes from, until it is in its window.
import type { MessageBatch, TopicPartition } from '../../broker/broker.js';
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import { type Clock, pause, within } from '../../message/clock.js';
import { type MessageHeaders, messageHeader } from '../../message/message.js';
import { sideNoteOf } from '../../message/side-message.js';
import { delayTiers } from '../../message/side-topic.js';
import type { MessageFilter } from '../../subscription/message-filter.js';
import type { Letters } from '../dead-letters/letters.js';
import type { Adoption } from '../overflow/adoption.js';
import type { DelayedNotes } from '../overflow/delayed-notes.js';
import type { ConsumerCounters } from '../subscription-counters.js';
import type { PartitionValues } from './by-partition.js';
import { type Committer, type OwnedWindow, passedCommitMs } from './committer.js';
import type { Inlet } from './inlet.js';
import type { Intake } from './intake.js';
import type { OwnedPartition } from './owned-partition.js';
import type { PartitionWindow } from './partition-window.js';
import type { Relief } from './relief.js';

export interface BatchReaderParts {
  readonly subscription: SubscriptionSettings;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly relief: Relief;
  readonly committer: Committer;
  readonly adoption: Adoption;
  readonly letters: Letters;
  readonly delayed: DelayedNotes;
  /** In the order of delayTiers. */
  readonly delayTopics: readonly string[];
  readonly windows: PartitionValues<OwnedWindow>;
  readonly inlets: WeakMap<PartitionWindow, Inlet>;
  readonly consumer: ConsumerCounters;
  readonly passedOver: (headers: MessageHeaders, body: Buffer) => void;
  /** All parked keys that an earlier owner has left in the partition are known now. */
  readonly parkedKnown: (partition: number) => void;
  /** Something may have become ready. */
  readonly pump: () => void;
}

export class BatchReader {
  private stopped = false;
  private readonly passed = new Set<OwnedWindow>();

  constructor(
    private readonly parts: BatchReaderParts,
    /** What is wanted of the subscription's own topic. */
    public filter: MessageFilter,
  ) {}

  /** Nothing is taken any more. */
  stop(): void {
    this.stopped = true;
  }

  /**
   * The next batch of the partition comes when the promise has resolved; undefined: it may come at once. Where messages come one by
   * one each of them would pay for what is asked once: nothing is awaited that is there already.
   */
  take(batch: MessageBatch): Promise<void> | undefined {
    const owned = this.parts.windows.get(batch);
    if (owned === undefined) return undefined;
    const { inlet } = owned;
    if (inlet.kind === 'parked') {
      this.takeParked(owned, batch);
      return undefined;
    }
    // A copy is judged by what was found of its original's topic.
    if (this.knowsParked(inlet.owned) && this.parts.adoption.isComplete(inlet.owned))
      return this.takeKnown(owned, batch);
    return this.known(inlet.owned).then(() => this.takeKnown(owned, batch));
  }

  private async known(owned: OwnedPartition): Promise<void> {
    await this.parkedAreKnown(owned);
    await this.parts.adoption.complete(owned);
  }

  private takeKnown(owned: OwnedWindow, batch: MessageBatch): Promise<void> | undefined {
    const { inlet, window } = owned;
    if (inlet.kind === 'delay') return this.takeWhenDue(owned, batch);
    const isOrigin = inlet.kind === 'origin';
    const wanted = isOrigin ? this.wantedOf(batch) : batch;
    const isPassedOver = isOrigin && wanted.messages.length === 0;
    // Of what nobody sends nothing has to be said.
    const isSaid = isPassedOver || window.mayHandOutBelow(batch.nextOffset);
    // What an earlier owner had before them in their lanes is not settled and comes from there.
    const origin = this.parts.intake.lastOriginLeft(inlet, batch.messages);
    if (isSaid && origin === null) {
      this.takeUnlessOver(owned, wanted, isPassedOver);
      return undefined;
    }
    return this.said(owned, batch, isSaid, origin).then(() => this.takeUnlessOver(owned, wanted, isPassedOver));
  }

  private async said(owned: OwnedWindow, batch: MessageBatch, isSaid: boolean, origin: bigint | null): Promise<void> {
    const { committer, subscription } = this.parts;
    if (!isSaid) await committer.promise(owned, batch.nextOffset);
    if (origin !== null) await this.originRead({ topic: subscription.topic, partition: batch.partition }, origin);
  }

  private takeUnlessOver(owned: OwnedWindow, wanted: MessageBatch, isPassedOver: boolean): void {
    if (!this.stopped && !owned.window.closed) this.takeBatch(owned, wanted, isPassedOver);
  }

  /** What the broker has passed over, since nobody here wants it, counts as read. */
  passOver(): void {
    for (const owned of this.parts.windows.values()) this.passOverIn(owned);
  }

  /** The windows that have moved on by it since this was asked last. */
  takePassed(): OwnedWindow[] {
    const passed = [...this.passed];
    this.passed.clear();
    return passed;
  }

  private passOverIn(owned: OwnedWindow): boolean {
    const { inlet, window, membership } = owned;
    if (inlet.kind !== 'origin' || window.closed) return false;
    const readTo = membership.readTo(window.partition);
    if (readTo === null || readTo <= window.nextOffset) return false;
    const { adoption, intake, clock, consumer } = this.parts;
    if (!adoption.isComplete(inlet.owned)) {
      void adoption.complete(inlet.owned);
      return false;
    }
    consumer.passedOver += Number(readTo - window.nextOffset);
    intake.readUpTo(inlet, readTo, clock.elapsedMs());
    this.passed.add(owned);
    return true;
  }

  /** Resolves once the subscription's own topic is read as far as `offset`, or is passed over so far. */
  private async originRead(partition: TopicPartition, offset: bigint): Promise<void> {
    const owned = this.parts.windows.get(partition);
    if (owned === undefined) return;
    const { window } = owned;
    while (!window.closed && window.nextOffset <= offset) {
      if (this.passOverIn(owned)) continue;
      await within(this.parts.clock, passedCommitMs, window.whenRead(offset));
    }
  }

  /** Nothing is sent before it is known which keys an earlier owner has parked. */
  async parkedAreKnown(owned: OwnedPartition): Promise<void> {
    if (this.knowsParked(owned)) return;
    const window = owned.windowOf(this.parts.letters.parkedLog.topic);
    if (window !== undefined) await window.whenRead(this.parkedEnd(window) - 1n);
  }

  private knowsParked(owned: OwnedPartition): boolean {
    const window = owned.windowOf(this.parts.letters.parkedLog.topic);
    return window === undefined || window.nextOffset >= this.parkedEnd(window);
  }

  private parkedEnd(window: PartitionWindow): bigint {
    return this.parts.inlets.get(window)?.leftEnd ?? 0n;
  }

  private takeParked({ inlet, window }: OwnedWindow, { messages, nextOffset, partition }: MessageBatch): void {
    const { letters, committer, parkedKnown } = this.parts;
    const wasLeft = window.nextOffset < inlet.leftEnd;
    const lettersEnd = letters.endOf(partition);
    for (const stored of messages) letters.takeParked(inlet, stored, lettersEnd);
    window.readUpTo(nextOffset);
    committer.soon(window);
    if (wasLeft && nextOffset >= inlet.leftEnd) parkedKnown(partition);
  }

  /** In a delay topic the first one is always the first whose time comes. */
  private async takeWhenDue(
    owned: OwnedWindow,
    { topic, partition, messages, nextOffset }: MessageBatch,
  ): Promise<void> {
    const { clock, committer, delayed, delayTopics } = this.parts;
    const { window, inlet } = owned;
    const tierMs = delayTiers[delayTopics.indexOf(topic)]?.ms ?? 0;
    for (const stored of messages) {
      // Not longer than it was meant to, and not longer behind the one before, whatever was done to the machine's clock.
      const leftMs = Math.min(tierMs, stored.timestampMs + tierMs - clock.now());
      const waitMs = Math.min(leftMs, inlet.dueAfterLast(stored.timestampMs) - clock.elapsedMs());
      inlet.lastDue = { timestampMs: stored.timestampMs, dueMs: clock.elapsedMs() + Math.max(0, waitMs) };
      if (waitMs > 0) await pause(clock, waitMs, window.closing.signal);
      if (this.stopped || window.closed) return;
      const origin = sideNoteOf(stored.headers)?.origin;
      if (origin !== undefined) delayed.delete(partition, origin.offset);
      await committer.promise(owned, stored.offset + 1n);
      if (!this.stopped && !window.closed)
        this.takeBatch(owned, { topic, partition, messages: [stored], nextOffset: stored.offset + 1n });
    }
    if (!this.stopped && !window.closed) this.takeBatch(owned, { topic, partition, messages: [], nextOffset });
  }

  /** The batch without what its bindings and filters do not want, which counts as settled once it is read. */
  private wantedOf(batch: MessageBatch): MessageBatch {
    const { filter, parts } = this;
    if (filter.takesAll) return batch;
    const { groupId } = parts.subscription;
    const messages = batch.messages.filter(({ headers, body }) => {
      const only = headers[messageHeader.onlyGroup];
      if (only === undefined ? filter.matches(headers, body) : only === groupId) return true;
      parts.passedOver(headers, body);
      return false;
    });
    const from = parts.windows.get(batch)?.window.nextOffset ?? batch.nextOffset;
    parts.consumer.passedOver += Math.max(0, Number(batch.nextOffset - from) - messages.length);
    return { ...batch, messages };
  }

  private takeBatch(owned: OwnedWindow, { messages, nextOffset }: MessageBatch, isPassedOver = false): void {
    const { clock, intake, relief, committer, pump } = this.parts;
    const nowMs = clock.elapsedMs();
    const { inlet } = owned;
    for (const stored of messages) intake.take(inlet, stored, nowMs);
    intake.readUpTo(inlet, nextOffset, nowMs);
    relief.pauseIfFull(owned);
    if (isPassedOver) committer.later(passedCommitMs);
    else committer.soon(owned.window);
    pump();
  }
}
