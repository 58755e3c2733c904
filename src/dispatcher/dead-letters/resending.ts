// The ways out of a subscription's dead letters: sent again, purged, and what becomes of keys that were parked for them.
import { textOf } from '../../message/errors.js';
import type { Work } from '../window/partition-window.js';
import type { LetterRange } from './dead-letter-box.js';
import { LetterSender, type LetterSenderParts } from './letter-sender.js';
import type { Letters } from './letters.js';
import type { Redrive, RedriveOrder } from './redrive.js';

export interface ResendingParts {
  readonly letters: Letters;
  /** What each sender works with. */
  readonly sending: Omit<LetterSenderParts, 'topic'>;
  readonly report: (text: string, details: object) => void;
}

export class Resending {
  /** Of the last redrive. */
  private sender: LetterSender | null = null;

  constructor(private readonly parts: ResendingParts) {}

  /** Windows of letters that are being sent. */
  get openWindows(): LetterSender['openWindows'] {
    return this.sender?.openWindows ?? [];
  }

  /** It is where it was. */
  stays(work: Work): void {
    this.sender?.stays(work);
  }

  /** Null while another one is under way, or when the subscription keeps no dead letters. */
  startRedrive(order: RedriveOrder): Redrive | null {
    const { box, redrive } = this.parts.letters;
    if (box === null || redrive?.isUnderWay === true) return null;
    this.sender = this.newSender(box.topic);
    return this.parts.letters.startRedrive(box, this.sender, order);
  }

  /** Resolves to how many letters were purged; null while a redrive is under way, or when none are kept. */
  async purge(range: LetterRange): Promise<bigint | null> {
    const { box, redrive } = this.parts.letters;
    if (box === null || redrive?.isUnderWay === true) return null;
    const purged = await box.purge(range);
    for (const { partition } of box.partsOf(range)) await this.freeEmptyLanes(partition);
    return purged;
  }

  /** Never rejects: who stays parked goes on with the next redrive. */
  async freeEmptyLanes(partition: number): Promise<void> {
    const { letters, report } = this.parts;
    if (letters.box === null) return;
    try {
      await letters.freeEmptyLanes(partition, this.newSender(letters.box.topic));
    } catch (error) {
      report('dead letters could not be looked through for parked keys', { partition, error: textOf(error) });
    }
  }

  private newSender(topic: string): LetterSender {
    return new LetterSender({ ...this.parts.sending, topic });
  }
}
