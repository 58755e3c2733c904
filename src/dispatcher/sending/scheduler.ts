// Which ready delivery is sent next: fair between destinations, each behind its own gates, all behind the subscription's.
import type { SubscriptionSettings } from '../../config-watch/settings.js';
import type { Clock, Timer } from '../../message/clock.js';
import { urlAt } from '../../message/delivery.js';
import type { Outcome } from '../../message/outcome.js';
import type { Candidate, Hold, Pass } from '../../policy/policy.js';
import type { GateRow, Gates, Leave, Row } from '../gates.js';
import type { Work } from '../window/partition-window.js';
import type { Destination } from './destination.js';
import { DestinationTable } from './destination-table.js';
import { DueQueue } from './due-queue.js';
import { earliestOf } from './endpoint-group.js';
import { FairQueue } from './fair-queue.js';
import type { WorkQueue } from './work-queue.js';

/** A delivery that has all it needs to be sent. */
export interface Attempt {
  readonly work: Work;
  readonly destination: Destination;
  readonly passes: readonly (readonly Pass[])[];
}

export interface SchedulerParts {
  readonly subscription: SubscriptionSettings;
  readonly clock: Clock;
  readonly gates: Gates;
  /** As GateScope's. */
  readonly share?: (() => number) | undefined;
  /** Sends it, and calls `ended` once it is over. */
  readonly start: (attempt: Attempt) => void;
  /** Told of an attempt that a rate limit held back, and how long it waited. */
  readonly heldByRate: (waitedMs: number) => void;
}

const firstAttempt: Candidate = { isRetry: false, firstsWait: true };
const retryAlone: Candidate = { isRetry: true, firstsWait: false };
const retryBesideFirsts: Candidate = { isRetry: true, firstsWait: true };

interface Choice {
  readonly work: Work;
  readonly queue: WorkQueue<Work>;
  readonly leave: Extract<Leave, { passes: unknown }>;
}

export class Scheduler {
  readonly destinations: DestinationTable;
  private readonly row: GateRow;
  /** Destinations with something ready that no gate of theirs holds back. */
  private readonly runnable = new FairQueue<Destination>(({ turn }) => turn);
  /** Destinations that a gate holds back until a time it named. */
  private readonly held: DueQueue<Destination>;
  private subscriptionHold: Hold | null = null;
  /** When the subscription's own rate held somebody back last. */
  private rateHeldMs = Number.NEGATIVE_INFINITY;
  private timer: Timer | null = null;
  /** While set, nothing is started: somebody is at it already, or not all gates know yet what happened. */
  private busy = false;
  private stopped = false;

  constructor(private readonly parts: SchedulerParts) {
    const { subscription, clock, gates, share = () => 1 } = parts;
    const pump = () => this.pump();
    this.row = gates.openSubscription({
      subscription,
      destination: null,
      name: null,
      hasPeers: () => false,
      share,
      wake: pump,
    });
    this.held = new DueQueue(clock, (destination) => this.unhold(destination), pump);
    this.destinations = new DestinationTable({
      subscription,
      clock,
      gates,
      share,
      wake: (destination) => {
        this.unhold(destination);
        this.pump();
      },
    });
  }

  /** Why none of the subscription's deliveries may go; null when nobody has said so. */
  get hold(): Hold | null {
    return this.subscriptionHold;
  }

  standsStill(name: string): boolean {
    return this.destinations.find(name)?.standsStill(this.parts.clock.elapsedMs()) ?? false;
  }

  /** The delivery may go as far as its lane and its backoff are concerned. */
  offer(work: Work, destination: Destination): void {
    work.stage = 'ready';
    work.stageMs = this.parts.clock.elapsedMs();
    destination.push(work);
    if (destination.hold === null && !this.runnable.has(destination)) {
      this.enqueue(destination);
    }
  }

  /** The works are in no queue any more. */
  withdraw(works: ReadonlySet<Work>): void {
    const names = new Set([...works].map(({ delivery }) => delivery.destination));
    for (const name of names) {
      const destination = this.destinations.find(name);
      if (destination === undefined) continue;
      const before = destination.ready;
      destination.withdraw(works);
      for (let i = destination.ready; i < before; i += 1) this.destinations.release(destination);
    }
  }

  /** Starts as many attempts as the gates let through. */
  pump(): void {
    if (this.busy || this.stopped || this.timer !== null) return;
    this.busy = true;
    try {
      this.startReady();
    } finally {
      this.busy = false;
    }
  }

  /** The attempt is over: every gate learns how before anything else starts. Pump afterwards. */
  ended({ destination, passes }: Attempt, outcome: Outcome): void {
    destination.inFlight -= 1;
    if (this.runnable.has(destination)) this.enqueue(destination);
    const wasBusy = this.busy;
    this.busy = true;
    for (const row of passes) for (const pass of row) pass.settle(outcome);
    this.busy = wasBusy;
  }

  /** The attempt does not take place: the gates get back what they gave. Pump afterwards. */
  cancelled({ destination, passes }: Attempt): void {
    destination.inFlight -= 1;
    if (this.runnable.has(destination)) this.enqueue(destination);
    const wasBusy = this.busy;
    this.busy = true;
    for (const row of passes) for (const pass of row) pass.cancel();
    this.busy = wasBusy;
    // Who was told to wait for what is given back may ask at once.
    this.unhold(destination);
    this.timer?.cancel();
    this.timer = null;
  }

  /** The subscription's settings have changed: the gates go by the new ones, and keep what they remember. */
  adjust(): void {
    const { subscription } = this.parts;
    const wasBusy = this.busy;
    this.busy = true;
    this.row.adjust({ subscription, destination: null });
    this.destinations.adjust();
    this.busy = wasBusy;
    // What was waited for may have come nearer.
    this.timer?.cancel();
    this.timer = null;
    this.pump();
  }

  /** Nothing starts any more, and what was ready is forgotten. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.timer = null;
    this.held.clear();
    this.runnable.clear();
    this.row.close();
    for (const destination of this.destinations) destination.clear();
    this.destinations.close();
  }

  private startReady(): void {
    let passes: readonly Pass[] | null = null;
    for (let destination = this.runnable.peek(); destination !== undefined; destination = this.runnable.peek()) {
      if (!this.hasOpen(destination)) {
        this.runnable.remove(destination);
        continue;
      }
      passes ??= this.enterSubscription();
      if (passes === null) return;
      const choice = this.choose(destination);
      if (choice === null) continue;
      this.begin(destination, choice, passes);
      passes = null;
    }
    for (const pass of passes ?? []) pass.cancel();
  }

  private enterSubscription(): readonly Pass[] | null {
    // The subscription's own gates do not look at who asks.
    const leave = this.row.enter(firstAttempt);
    if ('passes' in leave) {
      this.subscriptionHold = null;
      return leave.passes;
    }
    this.subscriptionHold = leave.hold;
    if (leave.hold.reason === 'rate') this.rateHeldMs = this.parts.clock.elapsedMs();
    if (leave.hold.untilMs !== null) this.pumpAt(leave.hold.untilMs);
    return null;
  }

  /** A due retry, or a first attempt while retries have used up their budget; null when neither may go, which is noted. */
  private choose(destination: Destination): Choice | null {
    const { firsts, retries, row } = destination;
    const holds: Hold[] = [];
    if (retries.length > 0) {
      const asked = choiceIn(retries, row, firsts.length > 0 ? retryBesideFirsts : retryAlone);
      if ('work' in asked) {
        destination.retriesHold = null;
        return asked;
      }
      // Where each may have an answer of its own, what holds these says nothing of those.
      if (asked.reason !== 'budget' && row.lookAhead === 1) {
        this.holdBack(destination, asked);
        return null;
      }
      if (asked.reason === 'budget') destination.retriesHold = asked;
      holds.push(asked);
    }
    if (firsts.length > 0) {
      const asked = choiceIn(firsts, row, firstAttempt);
      if ('work' in asked) return asked;
      holds.push(asked);
    }
    this.holdBack(destination, earliestOf(holds));
    return null;
  }

  private begin(destination: Destination, { work, queue, leave }: Choice, ofSubscription: readonly Pass[]): void {
    const { passes, endpoint } = leave;
    queue.remove(work);
    if (endpoint !== undefined) work.delivery.url = urlAt(endpoint.url, work.delivery);
    work.delivery.endpoint = endpoint?.name ?? null;
    destination.inFlight += 1;
    if (destination.ready === 0) this.runnable.remove(destination);
    else this.enqueue(destination);
    const nowMs = this.parts.clock.elapsedMs();
    // Ready before the rate held somebody back, and so behind him.
    if (work.stageMs <= this.rateHeldMs || work.stageMs <= destination.rateHeldMs)
      this.parts.heldByRate(nowMs - work.stageMs);
    work.stage = 'in flight';
    work.stageMs = nowMs;
    this.parts.start({ work, destination, passes: [ofSubscription, passes] });
  }

  /** Takes away what belongs to partitions that have gone; false when nothing is left. */
  private hasOpen(destination: Destination): boolean {
    for (const queue of [destination.retries, destination.firsts]) {
      while (queue.peek()?.window.closed === true) {
        queue.shift();
        this.destinations.release(destination);
      }
    }
    return destination.ready > 0;
  }

  /**
   * In turn while it has no more than its even share of the slots, however fast it is; beyond that, behind those with
   * fewer. So tokens are shared evenly where they are scarce, and slots where those are.
   */
  private enqueue(destination: Destination): void {
    const share = Math.floor(this.parts.subscription.concurrency.max / Math.max(1, this.destinations.sharing));
    this.runnable.put(destination, Math.max(0, destination.inFlight - Math.max(1, share)));
  }

  private holdBack(destination: Destination, hold: Hold): void {
    destination.hold = hold;
    if (hold.reason === 'rate') destination.rateHeldMs = this.parts.clock.elapsedMs();
    this.runnable.remove(destination);
    if (hold.untilMs !== null) this.held.add(destination, hold.untilMs);
  }

  private unhold(destination: Destination): void {
    if (destination.hold === null) return;
    destination.hold = null;
    this.held.remove(destination);
    if (destination.ready > 0) this.enqueue(destination);
  }

  private pumpAt(untilMs: number): void {
    const { clock } = this.parts;
    this.timer = clock.setTimer(Math.ceil(untilMs - clock.elapsedMs()), () => {
      this.timer = null;
      this.pump();
    });
  }
}

/** The first that its gates let through, or why none of them may go. */
function choiceIn(queue: WorkQueue<Work>, row: Row, candidate: Candidate): Choice | Hold {
  const holds: Hold[] = [];
  const depth = Math.min(queue.length, row.lookAhead);
  for (let before = 0; before < depth; before += 1) {
    const work = queue.at(before) as Work;
    // Such a one goes once it is the first.
    if (work.window.closed) continue;
    const leave = row.enter(candidate, work.delivery);
    if ('passes' in leave) return { work, queue, leave };
    holds.push(leave.hold);
  }
  return earliestOf(holds);
}
