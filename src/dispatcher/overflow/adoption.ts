// Takes over what an owner who died was moving: a copy that is durable is the message, and its original is done with.
import type { Broker } from '../../broker/broker.js';
import { type Clock, pause } from '../../message/clock.js';
import { copiedFrom } from '../../message/dead-letter.js';
import { textOf } from '../../message/errors.js';
import type { Position, StoredMessage } from '../../message/message.js';
import { sideNoteOf } from '../../message/side-message.js';
import type { Inlet } from '../window/inlet.js';
import type { OwnedPartition } from '../window/owned-partition.js';
import { routingOf, type WindowSettings } from '../window/partition-window.js';
import { readCopyEnds } from './copy-ends.js';

/** After a read that failed. */
const retryMs = 1000;

export interface AdoptionParts {
  readonly broker: Broker;
  readonly clock: Clock;
  /** Where messages are moved to; the overflow first; empty for one that there is none of. */
  readonly copyTopics: readonly string[];
  readonly windowSettings: WindowSettings;
  readonly report: (text: string, details: object) => void;
}

export class Adoption {
  /** By partition number: those of whose topics it is not known yet, with the search if that has begun. */
  private readonly unknown = new WeakMap<OwnedPartition, Map<Inlet, Promise<void> | null>>();

  constructor(private readonly parts: AdoptionParts) {}

  opened(inlet: Inlet): void {
    if (inlet.copyNote === null) return;
    const unknown = this.unknown.get(inlet.owned) ?? new Map<Inlet, Promise<void> | null>();
    this.unknown.set(inlet.owned, unknown.set(inlet, null));
  }

  /** It is known which originals of the partition's topics have copies. */
  isComplete(owned: OwnedPartition): boolean {
    return (this.unknown.get(owned)?.size ?? 0) === 0;
  }

  /** Resolves once it is known which originals of the partition's topics have copies; at once after a clean end. */
  async complete(owned: OwnedPartition): Promise<void> {
    const unknown = this.unknown.get(owned);
    if (unknown === undefined) return;
    for (const [inlet, begun] of unknown) {
      const search = begun ?? this.run(inlet);
      unknown.set(inlet, search);
      await search;
      unknown.delete(inlet);
    }
  }

  private async run(inlet: Inlet): Promise<void> {
    const { copyTopics, report, clock } = this.parts;
    for (const [topic, from] of readCopyEnds(inlet.copyNote ?? '', copyTopics)) {
      if (topic === '') continue;
      for (let at = from; !inlet.window.closed; ) {
        try {
          const next = await this.read(inlet, topic, at);
          inlet.adopted.lookedThrough.set(topic, next);
          if (next === at) break;
          at = next;
        } catch (error) {
          report('what was being moved could not be read, will try again', { topic, error: textOf(error) });
          await pause(clock, retryMs, inlet.window.closing.signal);
        }
      }
    }
  }

  private async read(inlet: Inlet, topic: string, from: bigint): Promise<bigint> {
    const { partition } = inlet.window.partition;
    const { messages, nextOffset } = await this.parts.broker.fetch({ topic, partition }, from);
    for (const copy of messages) this.adopt(inlet, copy);
    return nextOffset;
  }

  private adopt(inlet: Inlet, copy: StoredMessage): void {
    const { window, owned } = inlet;
    const side = sideNoteOf(copy.headers);
    const from: Position | null = side?.from ?? copiedFrom(copy.headers);
    if (from === null || from.topic !== window.partition.topic || from.partition !== window.partition.partition) return;
    const isDone = from.offset < window.nextOffset || window.wasSettledBefore(from.offset);
    // The copy has been delivered, or moved on: nothing is behind it.
    if (isDone && owned.windowOf(copy.topic)?.wasSettledBefore(copy.offset) === true) return;
    const isSpilled = copy.topic === this.parts.copyTopics[0];
    const routed = isSpilled ? routingOf(copy, this.parts.windowSettings) : null;
    // Of a lane whose first ones are done with, the others come behind these all the same.
    inlet.adopted.add(from.offset, routed?.lane ?? null, isDone);
    if (routed !== null) owned.spills.addLeftGroup(routed.spillGroup, side?.hop ?? 1);
  }
}
