// Takes ready deliveries through the gates to the target, and each outcome to its end: settled, retried, dead letter.
import type { SubscriptionSettings } from '../config-watch/settings.js';
import type { Clock, Timer } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { Outcome } from '../message/outcome.js';
import { backoffMs } from '../policy/backoff.js';
import type { Pass } from '../policy/policy.js';
import type { Target } from '../target/target.js';
import type { DeadLetter } from './dead-letter.js';
import type { GateRow, Gates } from './gates.js';
import type { Work } from './partition-window.js';
import type { ClientCounters } from './subscription-counters.js';
import { WorkQueue } from './work-queue.js';

type Failed = Extract<Outcome, { kind: 'retry' | 'rejected' }>;

export interface DelivererParts {
  readonly subscription: SubscriptionSettings;
  readonly clock: Clock;
  readonly gates: Gates;
  readonly target: Target;
  readonly deadLetter: DeadLetter;
  readonly counters: ClientCounters;
  readonly settled: (work: Work) => void;
  readonly report: (text: string, details: object) => void;
}

/** A waiting retry holds no slot; a delivery holds one only while its request is in flight. */
export class Deliverer {
  private readonly ready = new WorkQueue<Work>();
  private readonly row: GateRow;
  private readonly waits = new Set<Timer>();
  private gateTimer: Timer | null = null;
  private pumping = false;
  private stopped = false;

  constructor(private readonly parts: DelivererParts) {
    this.row = parts.gates.open({ subscription: parts.subscription, wake: () => this.pump() });
  }

  /** The delivery's turn has come, as far as its lane is concerned. */
  offer(work: Work): void {
    this.ready.push(work);
  }

  /** Starts as many attempts as the gates let through. */
  pump(): void {
    if (this.pumping || this.stopped || this.gateTimer !== null) return;
    this.pumping = true;
    try {
      this.startReady();
    } finally {
      this.pumping = false;
    }
  }

  private startReady(): void {
    for (let work = this.ready.peek(); work !== undefined; work = this.ready.peek()) {
      if (work.window.closed) {
        this.ready.shift();
        continue;
      }
      const leave = this.row.enter();
      if ('hold' in leave) {
        if (leave.hold.untilMs !== null) this.pumpAt(leave.hold.untilMs);
        return;
      }
      this.ready.shift();
      this.attempt(work, leave.passes);
    }
  }

  /** No new attempt starts; waiting retries stay unsettled. */
  stop(): void {
    this.stopped = true;
    this.gateTimer?.cancel();
    this.gateTimer = null;
    for (const timer of this.waits) timer.cancel();
    this.waits.clear();
    this.ready.clear();
  }

  private pumpAt(untilMs: number): void {
    const { clock } = this.parts;
    this.gateTimer = clock.setTimer(Math.ceil(untilMs - clock.elapsedMs()), () => {
      this.gateTimer = null;
      this.pump();
    });
  }

  private attempt(work: Work, passes: readonly Pass[]): void {
    const { delivery, window } = work;
    if (delivery.attempt === 1) delivery.firstAttemptMs = this.parts.clock.now();
    else this.parts.counters.rpcRetries += 1;
    window.begin();
    void this.parts.target.send(delivery, window.abort.signal).then((outcome) => {
      this.ended(work, outcome);
      for (const pass of passes) pass.settle(outcome);
      window.end();
      this.pump();
    });
  }

  private ended(work: Work, outcome: Outcome): void {
    const { counters, report } = this.parts;
    const { delivery } = work;
    switch (outcome.kind) {
      case 'delivered':
        counters.rpcSuccess += 1;
        this.parts.settled(work);
        return;
      case 'aborted':
        return;
      case 'retry':
        report('attempt failed', { ...nameOf(work), reason: outcome.reason, detail: outcome.detail });
        if (delivery.attempt < delivery.maxAttempts) this.retryLater(work);
        else this.giveUp(work, 'exhausted', outcome);
        return;
      case 'rejected':
        report('attempt rejected', { ...nameOf(work), detail: outcome.detail });
        this.giveUp(work, 'rejected', outcome);
    }
  }

  private retryLater(work: Work): void {
    if (this.stopped) return;
    const { delivery } = work;
    const waitMs = backoffMs(delivery.attempt, this.parts.subscription.backoff, Math.random());
    delivery.attempt += 1;
    this.after(waitMs, () => {
      this.offer(work);
      this.pump();
    });
  }

  /** The message stays unsettled until its dead letter is durable. */
  private giveUp(work: Work, reason: 'exhausted' | 'rejected', outcome: Failed): void {
    const { deadLetter, subscription, counters, report } = this.parts;
    const { source, attempt, firstAttemptMs } = work.delivery;
    const note = {
      reason,
      detail: outcome.detail,
      status: outcome.status,
      answer: outcome.body,
      attempts: attempt,
      firstAttemptMs,
    };
    counters.rpcFail += 1;
    work.window.begin();
    const failed = (error: unknown) =>
      report('dead letter not written, will try again', { ...nameOf(work), error: textOf(error) });
    void deadLetter.keep(subscription.groupId, source, note, work.window.abort.signal, failed).then((kept) => {
      if (kept) {
        counters.deadLetters += 1;
        this.parts.settled(work);
      }
      work.window.end();
      this.pump();
    });
  }

  private after(waitMs: number, then: () => void): void {
    if (this.stopped) return;
    const timer = this.parts.clock.setTimer(waitMs, () => {
      this.waits.delete(timer);
      then();
    });
    this.waits.add(timer);
  }
}

function nameOf({ delivery }: Work): object {
  const { id, source, attempt, maxAttempts, url } = delivery;
  return {
    id,
    topic: source.topic,
    partition: source.partition,
    offset: `${source.offset}`,
    attempt,
    maxAttempts,
    destination: url.origin,
  };
}
