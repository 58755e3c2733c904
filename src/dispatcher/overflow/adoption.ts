// Takes over what an owner who died was moving: a copy that is durable is the message, and its original is done with.
import type { Broker } from '../../broker/broker.js';
import { type Clock, pause } from '../../message/clock.js';
import { textOf } from '../../message/errors.js';
import type { Position, StoredMessage } from '../../message/message.js';
import { sideNoteOf } from '../../message/side-message.js';
import { copiedFrom } from '../dead-letters/dead-letter.js';
import type { Inlet } from '../window/inlet.js';
import { laneOfMessage, spillGroupOf, type WindowSettings } from '../window/partition-window.js';
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
  private readonly begun = new WeakMap<Inlet, Promise<void>>();

  constructor(private readonly parts: AdoptionParts) {}

  /** Resolves once it is known which originals of the inlet's topic have copies; at once after a clean end. */
  complete(inlet: Inlet): Promise<void> {
    if (inlet.copyNote === null) return Promise.resolve();
    let begun = this.begun.get(inlet);
    if (begun === undefined) {
      begun = this.run(inlet, inlet.copyNote);
      this.begun.set(inlet, begun);
    }
    return begun;
  }

  private async run(inlet: Inlet, note: string): Promise<void> {
    const { copyTopics, report, clock } = this.parts;
    for (const [topic, from] of readCopyEnds(note, copyTopics)) {
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
    const lane = isSpilled ? laneOfMessage(copy, this.parts.windowSettings) : null;
    const group = isSpilled ? spillGroupOf(copy, this.parts.windowSettings) : null;
    // Of a lane whose first ones are done with, the others come behind these all the same.
    inlet.adopted.add(from.offset, lane, isDone);
    if (group !== null) owned.spills.addLeftGroup(group, side?.hop ?? 1);
  }
}
