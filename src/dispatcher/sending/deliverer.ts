// Sends what the scheduler starts, and brings each outcome to its end: settled, retried, dead letter.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock } from '../../message/clock.js';
import type { DeadLetterNote } from '../../message/dead-letter.js';
import { type Delivery, groupDestination, leftToWaitMs, maxAttemptsOf } from '../../message/delivery.js';
import type { Message } from '../../message/message.js';
import type { Outcome, RetryReason } from '../../message/outcome.js';
import { storedTrace, traceIdOf } from '../../message/trace-context.js';
import { backoffMs } from '../../policy/backoff.js';
import type { Tracing } from '../../stats/tracing/tracing.js';
import type { Target } from '../../target/target.js';
import type { Burial } from '../dead-letters/letters.js';
import type { Gates } from '../gates.js';
import type { ClientCounters } from '../subscription-counters.js';
import type { SubscriptionMeter } from '../subscription-meter.js';
import { longWaitMs } from '../window/held-lanes.js';
import type { Work } from '../window/partition-window.js';
import { beginAttempt, endAttempt } from './attempt-trace.js';
import type { Ending } from './callback.js';
import type { Destination } from './destination.js';
import { DueQueue } from './due-queue.js';
import { type End, endRecordOf } from './kept-end.js';
import { type Attempt, Scheduler } from './scheduler.js';

/** Until it is looked again whether the partition is ours for certain. */
const doubtMs = 200;

const notShown = 'the answer was too long, or broke off';

type Failed = Pick<Extract<Outcome, { kind: 'retry' | 'rejected' }>, 'detail' | 'status' | 'body' | 'whole'>;

export interface DelivererParts {
  readonly subscription: SubscriptionSettings;
  readonly clock: Clock;
  readonly gates: Gates;
  /** As GateScope's. */
  readonly share?: () => number;
  readonly target: Target;
  readonly counters: ClientCounters;
  readonly meter: SubscriptionMeter;
  readonly tracing: Tracing;
  readonly settled: (work: Work) => void;
  /** It waits elsewhere until its time is near. */
  readonly delay: (work: Work) => void;
  /** No attempt could deliver it; `done` is called in the moment in which it can leave its lane. */
  readonly giveUp: (work: Work, note: DeadLetterNote, done: (burial: Burial) => void) => void;
  /** How it ended, for a caller that waits for the answer (`delivery.replyTo`). */
  readonly replied: (delivery: Delivery, ending: Ending) => void;
  /** Each attempt as it has ended, before anything of the delivery changes. */
  readonly attempted: (delivery: Delivery, outcome: Outcome) => void;
  /** Resolves to true once the record is durable, to false when the partition is not ours any more. */
  readonly keepEnd: (record: Message, work: Work) => Promise<boolean>;
  /** The same as a message to `delivery.callbackUrl`. Resolves to true once it is durable, to false when the partition has gone before. */
  readonly callBack: (work: Work, ending: Ending) => Promise<boolean>;
  /** A dead letter that is sent again makes no more attempts, and stays where it stands. */
  readonly stays: (work: Work) => void;
  /** Its caller wants it sent no more. */
  readonly isCancelled: (id: string) => boolean;
  readonly report: (text: string, details: object) => void;
}

/** A waiting retry holds no slot; a delivery holds one only while its request is in flight. */
export class Deliverer {
  readonly scheduler: Scheduler;
  private readonly retries: DueQueue<Work>;
  /** Those of them that wait long. */
  private held = new WeakSet<Work>();
  private heldCount = 0;
  private stopped = false;

  constructor(private readonly parts: DelivererParts) {
    const { subscription, clock, gates, share, meter } = parts;
    this.scheduler = new Scheduler({
      subscription,
      clock,
      gates,
      share,
      start: (attempt) => this.attempt(attempt),
      heldByRate: (waitedMs) => meter.rateWaits.observe(waitedMs / 1000),
    });
    this.retries = new DueQueue(
      clock,
      (work) => {
        this.letGoOn(work);
        this.scheduler.offer(work, this.destinationOf(work));
      },
      () => this.pump(),
    );
  }

  /** True while something waits so long for its next attempt that its lane may leave (held-lanes). */
  get holdsLong(): boolean {
    return this.heldCount > 0;
  }

  /** How many wait for their next attempt. */
  get waitingRetries(): number {
    return this.retries.size;
  }

  /** The delivery's turn has come, as far as its lane is concerned. */
  offer(work: Work): void {
    const destination = this.scheduler.destinations.take(work.delivery.destination);
    const waitMs = leftToWaitMs(work.delivery, this.parts.clock.now());
    if (waitMs > 0) this.waitOrDelay(work, destination, waitMs);
    else this.scheduler.offer(work, destination);
  }

  /** Nothing is ready or waits here any more of these works; none of them is in flight. */
  withdraw(works: ReadonlySet<Work>): void {
    if (this.stopped) return;
    for (const work of works) {
      if (work.stage !== 'retry') continue;
      this.retries.remove(work);
      this.letGoOn(work);
      this.scheduler.destinations.release(this.destinationOf(work));
    }
    this.scheduler.withdraw(works);
  }

  pump(): void {
    this.scheduler.pump();
  }

  /** No new attempt starts; waiting retries stay unsettled. */
  stop(): void {
    this.stopped = true;
    this.scheduler.stop();
    this.retries.clear();
    this.held = new WeakSet();
    this.heldCount = 0;
  }

  /** Known for as long as something of it is pending. */
  private destinationOf({ delivery }: Work): Destination {
    return this.scheduler.destinations.find(delivery.destination) as Destination;
  }

  private attempt(attempt: Attempt): void {
    const { delivery, window } = attempt.work;
    if (!window.isOurs) {
      this.postpone(attempt);
      return;
    }
    const drop = this.dropOf(attempt.work);
    if (drop !== null) {
      window.begin();
      // The scheduler that asks is not through yet.
      queueMicrotask(() => this.drop(attempt, drop));
      return;
    }
    if (delivery.attempt > 1) {
      this.parts.counters.rpcRetries += 1;
      this.parts.meter.retries.value += 1;
    }
    if (delivery.firstAttemptMs === 0) delivery.firstAttemptMs = this.parts.clock.now();
    window.begin();
    const span = beginAttempt(this.parts.tracing, delivery);
    void this.parts.target.send(delivery, window.abort.signal).then((outcome) => {
      if (span !== null) endAttempt(span, delivery, this.parts.subscription.groupId, outcome);
      this.scheduler.ended(attempt, outcome);
      this.ended(attempt, outcome);
      window.end();
      this.pump();
    });
  }

  /** Somebody else may own the partition and send it: not before we know. */
  private postpone(attempt: Attempt): void {
    const { work } = attempt;
    work.window.begin();
    queueMicrotask(() => {
      this.scheduler.cancelled(attempt);
      if (this.stopped || work.window.closed) this.letGo(attempt);
      else this.wait(work, doubtMs);
      work.window.end();
    });
  }

  /** Why no attempt is made any more; null for none. Who sends a dead letter again means it. */
  private dropOf({ delivery, resent }: Work): 'cancelled' | 'expired' | 'dropped' | null {
    const isForNobody = delivery.destination === groupDestination && delivery.endpoint === null;
    if (isForNobody) return 'dropped';
    if (resent !== null) return null;
    if (this.parts.isCancelled(delivery.id)) return 'cancelled';
    const { expiresMs } = delivery;
    return expiresMs !== 0 && this.parts.clock.now() >= expiresMs ? 'expired' : null;
  }

  private drop(attempt: Attempt, why: 'cancelled' | 'expired' | 'dropped'): void {
    const { work } = attempt;
    this.scheduler.cancelled(attempt);
    this.parts.counters[why] += 1;
    if (this.parts.subscription.answerTopic !== null) this.keepEnd(attempt, null);
    else if (why !== 'expired') {
      if (why === 'cancelled') this.parts.meter.cancelled.value += 1;
      const detail = why === 'cancelled' ? why : 'the group had no endpoint';
      this.calledBack(attempt, { status: 0 }, detail, () => {
        this.tellCaller(work.delivery, { status: 0 }, detail);
        this.settle(attempt);
      });
    } else {
      const detail = `not worth sending after ${new Date(work.delivery.expiresMs).toISOString()}`;
      this.giveUp(attempt, why, { detail, status: 0, body: '' });
    }
    work.window.end();
    this.pump();
  }

  private ended(attempt: Attempt, outcome: Outcome): void {
    const { counters, report, meter, clock } = this.parts;
    const { work, destination } = attempt;
    const { delivery } = work;
    this.parts.attempted(delivery, outcome);
    meter.destination(destination.label).attempted(outcome);
    if (this.parts.subscription.answerTopic !== null && outcome.kind !== 'aborted') {
      this.keepEnd(attempt, outcome);
      return;
    }
    if (outcome.kind !== 'aborted') this.tellRedrive(work, outcome.kind === 'delivered');
    switch (outcome.kind) {
      case 'delivered':
        counters.rpcSuccess += 1;
        meter.delivered(delivery, clock.now());
        // Before it is settled: what a crash takes back is answered again.
        this.tellCaller(delivery, outcome, notShown);
        this.calledBack(attempt, outcome, notShown, () => this.settle(attempt));
        return;
      case 'aborted':
        this.letGo(attempt);
        return;
      case 'retry':
        report('attempt failed', { ...nameOf(work), reason: outcome.reason, detail: outcome.detail });
        if (delivery.attempt < maxAttemptsOf(delivery) || this.blocksItsKey(work)) {
          this.retryLater(attempt, outcome.reason, outcome.waitMs);
        } else this.giveUp(attempt, 'exhausted', outcome);
        return;
      case 'rejected':
        report('attempt rejected', { ...nameOf(work), detail: outcome.detail });
        if (this.blocksItsKey(work)) this.retryLater(attempt, 'status');
        else this.giveUp(attempt, 'rejected', outcome);
    }
  }

  /** However it ended: that is written down, and the message is settled then. */
  private keepEnd(attempt: Attempt, end: End): void {
    const { work } = attempt;
    const { counters, keepEnd, subscription } = this.parts;
    if (end?.kind === 'delivered') counters.rpcSuccess += 1;
    else if (end !== null) counters.rpcFail += 1;
    work.window.begin();
    void keepEnd(endRecordOf(subscription.answerTopic ?? '', work.delivery.source, end), work).then((isKept) => {
      if (isKept) this.settle(attempt);
      else this.letGo(attempt);
      work.window.end();
      this.pump();
    });
  }

  private tellRedrive(work: Work, wentWell: boolean): void {
    if (work.resent === null) return;
    work.resent.attempted(work, wentWell ? 'well' : 'wrong');
    this.parts.meter.redriven(wentWell ? 'delivered' : 'failed');
  }

  private tellCaller(delivery: Delivery, { status, whole }: Pick<Failed, 'status' | 'whole'>, detail: string): void {
    if (delivery.replyTo !== null) this.parts.replied(delivery, whole ?? { status, detail });
  }

  /** Goes on once the callback, where one is wanted, is durable: until then the message is what is left of it. */
  private calledBack(attempt: Attempt, how: Pick<Failed, 'status' | 'whole'>, detail: string, then: () => void): void {
    const { work } = attempt;
    if (work.delivery.callbackUrl === null) {
      then();
      return;
    }
    work.window.begin();
    void this.parts.callBack(work, how.whole ?? { status: how.status, detail }).then((isDurable) => {
      if (isDurable) then();
      else this.letGo(attempt);
      work.window.end();
      this.pump();
    });
  }

  /** It is tried until it is delivered, and its key waits for it; unless its caller has set a bound, as for its time. */
  private blocksItsKey({ lane, resent, delivery }: Work): boolean {
    if (lane === null || resent !== null || delivery.attempt >= delivery.deliverLimit) return false;
    return this.parts.subscription.poison === 'block';
  }

  /** Not settled, and no attempt follows here. */
  private letGo({ work, destination }: Attempt): void {
    this.scheduler.destinations.release(destination);
    if (work.resent !== null) this.parts.stays(work);
  }

  private settle({ work, destination }: Attempt): void {
    // The next one of its lane first: a destination that has more to come is not let go between the two.
    this.parts.settled(work);
    destination.deliveryEnded(this.parts.clock.elapsedMs());
    this.scheduler.destinations.release(destination);
  }

  /** `askedMs`: what the receiver wants to wait in place of the backoff. */
  private retryLater(attempt: Attempt, reason: RetryReason, askedMs?: number): void {
    const { work, destination } = attempt;
    destination.attemptFailed(this.parts.clock.elapsedMs());
    if (this.stopped || work.window.closed || work.resent?.goesOn === false) {
      this.letGo(attempt);
      return;
    }
    const { delivery } = work;
    const { clock, subscription } = this.parts;
    const waitMs = askedMs ?? Math.ceil(backoffMs(delivery.attempt, subscription.backoff, Math.random()));
    delivery.notBeforeMs = clock.now() + waitMs;
    delivery.attempt += 1;
    delivery.redelivery = reason;
    this.waitOrDelay(work, destination, waitMs);
  }

  /** What waits long and holds no lane waits on disk; what holds one waits here while there is room (held-lanes). */
  private waitOrDelay(work: Work, destination: Destination, waitMs: number): void {
    if (work.lane !== null || work.resent !== null || waitMs < longWaitMs) {
      this.wait(work, waitMs);
      return;
    }
    this.scheduler.destinations.release(destination);
    this.parts.delay(work);
  }

  /** Until its time has come it holds its lane and nothing else. */
  private wait(work: Work, waitMs: number): void {
    work.stage = 'retry';
    work.stageMs = this.parts.clock.elapsedMs() + waitMs;
    this.retries.add(work, work.stageMs);
    if (waitMs < longWaitMs || this.held.has(work)) return;
    this.held.add(work);
    this.heldCount += 1;
    this.destinationOf(work).held += 1;
  }

  /** It waits no more. */
  private letGoOn(work: Work): void {
    if (!this.held.delete(work)) return;
    this.heldCount -= 1;
    this.destinationOf(work).held -= 1;
  }

  /** The message stays unsettled until its dead letter is durable. */
  private giveUp(attempt: Attempt, reason: 'exhausted' | 'rejected' | 'expired', outcome: Failed): void {
    const { work } = attempt;
    const { counters, giveUp } = this.parts;
    const { origin, firstAttemptMs } = work.delivery;
    const note = {
      reason,
      origin,
      detail: outcome.detail,
      status: outcome.status,
      answer: outcome.body,
      attempts: reason === 'expired' ? work.delivery.attempt - 1 : work.delivery.attempt,
      firstAttemptMs,
    };
    work.stage = 'dead letter';
    const bury = () => {
      work.window.begin();
      counters.rpcFail += 1;
      giveUp(work, note, (burial) => {
        if (burial === 'buried') {
          this.tellCaller(work.delivery, outcome, outcome.detail);
          this.settle(attempt);
        } else if (burial === 'blocks') {
          counters.rpcFail -= 1;
          this.retryLater(attempt, 'status');
        } else this.letGo(attempt);
        work.window.end();
        this.pump();
      });
    };
    // A dead letter that fails once more is no news.
    if (work.resent !== null) bury();
    else this.calledBack(attempt, outcome, outcome.detail, bury);
  }
}

function nameOf({ delivery }: Work): object {
  const { id, source, attempt, destination, endpoint } = delivery;
  const trace = storedTrace(source.headers);
  return {
    id,
    topic: source.topic,
    partition: source.partition,
    offset: `${source.offset}`,
    attempt,
    maxAttempts: maxAttemptsOf(delivery),
    destination: endpoint ?? destination,
    ...(trace === null ? {} : { traceId: traceIdOf(trace) }),
  };
}
