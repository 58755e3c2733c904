// Who has agreed to deliveries, for all subscriptions of this process: asked, remembered for a while, and bounded.
import { Injectable, Logger } from '@nestjs/common';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import type { Outcome } from '../../message/outcome.js';
import { type ConsentQuestion, Target } from '../../target/target.js';
import { Consent } from './consent.js';
import { answerOf, type ConsentAnswer } from './consent-answer.js';

/** Remembered at most, some 500 bytes each; the one unused for longest goes and is asked anew. */
const maxRemembered = 16_384;
/** Asked at the same moment. */
const maxAsked = 64;

@Injectable()
export class Consents {
  private readonly log = new Logger('Consent');
  private readonly remembered = new Map<string, Consent>();
  /** Due, and without room to be asked; the one that waits for longest first. */
  private readonly queue = new Set<Consent>();
  private asking = 0;

  constructor(
    private readonly target: Target,
    private readonly configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {}

  /** The DNS name under which receivers are asked; null while the configuration says none. */
  get origin(): string | null {
    return this.configWatch.settings.webhook.origin;
  }

  /** The same for everybody who would ask the same. */
  of(question: Pick<ConsentQuestion, 'url' | 'origin' | 'headers'>): Consent {
    const { url, origin, headers } = question;
    // A query may hold a secret: it is not told of.
    const name = JSON.stringify([origin, url.origin, url.path, headers]);
    const consent =
      this.remembered.get(name) ?? new Consent(`${url.origin}${url.path.replace(/\?.*/, '')}`, this.clock.elapsedMs());
    this.remembered.delete(name);
    this.remembered.set(name, consent);
    if (this.remembered.size > maxRemembered) {
      const [oldest] = this.remembered.keys();
      this.remembered.delete(oldest as string);
    }
    return consent;
  }

  /** True when there is room to ask one more now; else `consent.waiting` may be called once there is: look again after a while. */
  hasRoomFor(consent: Consent): boolean {
    if (this.asking < maxAsked) return true;
    this.queue.add(consent);
    return false;
  }

  /** `ended` is told before anybody is woken. Never rejects. */
  async ask(
    consent: Consent,
    question: ConsentQuestion,
    signal: AbortSignal,
    ended: (outcome: Outcome) => void,
  ): Promise<void> {
    this.asking += 1;
    this.queue.delete(consent);
    consent.asked();
    const reply = await this.target.ask(question, signal);
    this.asking -= 1;
    const answer = answerOf(reply, question.origin);
    ended(reply.outcome);
    const { consentMs } = this.configWatch.settings.webhook;
    const isNews = consent.answered(answer, this.clock.elapsedMs(), consentMs, Math.random());
    if (isNews) this.tell(consent, question, answer);
    this.wakeNext();
  }

  private tell({ name }: Consent, { origin }: ConsentQuestion, answer: ConsentAnswer): void {
    const told = { receiver: name, origin };
    if (answer.kind === 'granted')
      this.log.log({ msg: 'a receiver has given its consent', ...told, perMinute: answer.perMinute });
    else if (answer.kind !== 'stopped')
      this.log.warn({ msg: 'a receiver has not given its consent', ...told, why: answer.why });
  }

  /** As many as there is room for, whether they use it or not: those behind them look again by themselves. */
  private wakeNext(): void {
    let room = maxAsked - this.asking;
    for (const consent of this.queue) {
      if (room <= 0) return;
      room -= 1;
      this.queue.delete(consent);
      for (const wake of consent.waiting) wake();
    }
  }
}
