// Nothing goes to a receiver before it has agreed to it, and no more than it allows.
import { Injectable } from '@nestjs/common';
import type { CallUrl } from '../../message/call-url.js';
import { Clock } from '../../message/clock.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  free,
  Gate,
  type GateScope,
  type GateSettings,
  type GateState,
  type Hold,
  ignore,
  lowestRate,
  type Pass,
} from '../../policy/policy.js';
import type { ConsentQuestion } from '../../target/target.js';
import type { Consent } from './consent.js';
import { Consents } from './consents.js';

/** For room to ask, in case those who were told of it first do not use it. */
const lookAgainMs = 5000;

@Injectable()
export class ConsentPolicy extends DispatchPolicy {
  constructor(
    private readonly consents: Consents,
    private readonly clock: Clock,
  ) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new ConsentGate(this.consents, this.clock, scope);
  }
}

/** Asks with the leave that an attempt would have had; the message itself waits, and has used up nothing. */
class ConsentGate extends Gate {
  private settings: GateSettings;
  private consent: Consent | null = null;
  /** Who asks, and with which headers, since `consent` was looked up. */
  private origin: string | null = null;
  private headers: readonly string[] = [];
  private isStale = true;
  private abort: AbortController | null = null;
  private readonly entry: Entry = { pass: { settle: ignore, cancel: () => this.consent?.giveBack() } };

  constructor(
    private readonly consents: Consents,
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.settings = scope;
  }

  override enter(_candidate: Candidate): Entry {
    const consent = this.consentNow();
    if (consent === null) return free;
    const nowMs = this.clock.elapsedMs();
    const isDue = consent.isDue(nowMs);
    if (!consent.isGranted(nowMs)) {
      if (!isDue) return { hold: consent.hold(nowMs) };
      if (!this.consents.hasRoomFor(consent)) {
        const hold = heldFor('waits to be asked, as others are', nowMs + lookAgainMs);
        return { hold };
      }
      return { hold: heldFor('asked, no answer yet', null), takeOver: (passes) => this.ask(consent, passes) };
    }
    const waitMs = consent.take(nowMs, this.scope.share?.() ?? 1);
    if (waitMs > 0) {
      const detail = `the receiver allows ${consent.perMinute} a minute`;
      return { hold: { reason: 'rate', untilMs: nowMs + waitMs, detail } };
    }
    if (isDue && this.consents.hasRoomFor(consent)) this.ask(consent, []);
    return consent.perMinute === null ? free : this.entry;
  }

  /** What was said is remembered elsewhere. */
  override isAtRest(): boolean {
    return this.abort === null;
  }

  override adjust(settings: GateSettings): void {
    this.settings = settings;
    this.isStale = true;
    this.scope.wake();
  }

  override state(): GateState | null {
    const state = this.consentNow()?.state(this.clock.elapsedMs()) ?? null;
    if (state === null) return null;
    return { state: 'no consent', reason: state.why, sinceMs: state.sinceMs, nextChangeMs: state.nextMs };
  }

  override close(): void {
    this.consent?.waiting.delete(this.scope.wake);
    this.consent = null;
    this.abort?.abort();
  }

  /** null where none is needed. */
  private consentNow(): Consent | null {
    const { receiver = null } = this.scope;
    const isNeeded = receiver !== null && this.settings.subscription.needsConsent;
    const origin = isNeeded ? this.consents.origin : null;
    if (origin === this.origin && !this.isStale) return this.consent;
    this.isStale = false;
    this.origin = origin;
    this.headers = this.settings.subscription.headers.flat();
    this.consent?.waiting.delete(this.scope.wake);
    this.consent =
      origin === null || receiver === null ? null : this.consents.of({ url: receiver, origin, headers: this.headers });
    this.consent?.waiting.add(this.scope.wake);
    return this.consent;
  }

  private ask(consent: Consent, passes: readonly Pass[]): void {
    const { scope, origin, headers, settings } = this;
    const abort = new AbortController();
    this.abort = abort;
    const question: ConsentQuestion = {
      url: scope.receiver as CallUrl,
      origin: origin as string,
      perMinute: Math.ceil(lowestRate(settings).perSecond * 60),
      headers,
      timeoutMs: settings.subscription.timeoutMs,
    };
    void this.consents.ask(consent, question, abort.signal, (outcome) => {
      if (this.abort === abort) this.abort = null;
      for (const pass of passes) pass.settle(outcome);
    });
  }
}

const heldFor = (detail: string, untilMs: number | null): Hold => ({ reason: 'consent', untilMs, detail });
