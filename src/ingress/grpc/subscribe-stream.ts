// One subscriber: a group's messages as they come, as many as it has credits for, each leased until it says how it went.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AclEntry } from '../../acl/acl-entry.js';
import type { Clock } from '../../message/clock.js';
import { Link } from '../../message/linked-set.js';
import type { Lease } from '../../target/mailbox/lease.js';
import type { LeaseFault, Mailbox, Taker } from '../../target/mailbox/mailbox.js';
import { ackErrand, type Errand, nackErrand, type WholeGroup } from '../../target/mailbox/whole-group.js';
import { type Problem, problemOf } from '../messages/problem.js';
import type { Closing } from './closing.js';
import { type FeedParts, ForeignFeed } from './foreign-feed.js';
import { foreignDelivery } from './foreign-message.js';
import { unknownCaller, usedUp } from './grpc-caller.js';
import { leasedMessage } from './leased-message.js';
import { millisecondsOf } from './moment-forms.js';
import type { SubscribeRequest, SubscribeResponse } from './protos.js';
import { errorOf } from './refusal.js';

/** Given and not used. */
const maxCredits = 10_000;
/** Of one request. */
const maxLeases = 1000;
/** Read and not done with: then reading stops. */
const maxGathered = 64;
const shortestLeaseMs = 100;
const longestLeaseMs = 43_200_000;
const longestDelayMs = 366 * 86_400_000;

const gone = { waitMs: 0, isRejected: false, detail: 'the stream of its subscriber has ended' };

/** Where it waits, once it has begun. */
interface Place {
  readonly foreign: ForeignFeed;
  readonly group: string;
  readonly mailbox: Mailbox;
  readonly leave: () => void;
}

export interface SubscribeParts {
  readonly callerOf: () => Promise<AclEntry | null>;
  /** Why the caller gets nothing of the group; null when he does. */
  readonly against: (caller: AclEntry, group: string) => Problem | null | Promise<Problem | null>;
  readonly wholeGroup: WholeGroup;
  readonly clock: Clock;
  /** How long a message of the group is leased if nobody says. */
  readonly leaseMsOf: (group: string) => number;
  /** Null: as many as may wait do. */
  readonly enter: (group: string) => Pick<Place, 'mailbox' | 'leave'> | null;
  readonly closing: Closing;
}

export class SubscribeStream implements Taker {
  /** Others of the group get theirs in between. */
  readonly takesTurns = true;
  readonly link: Link<Taker> = new Link<Taker>(this);
  caller = '';
  leaseMs: number | null = null;
  private place: Place | null = null;
  private credits = 0;
  /** The other end reads no faster. */
  private isBlocked = false;
  private readonly held = new Set<Lease>();
  private readonly gathered: SubscribeRequest[] = [];
  private isWorking = false;
  private hasEnded = false;
  private isOver = false;
  private forget: () => void = () => undefined;

  constructor(
    private readonly call: ServerDuplexStream<SubscribeRequest, SubscribeResponse>,
    private readonly parts: SubscribeParts,
  ) {}

  get wants(): number {
    return this.isBlocked ? 0 : this.credits;
  }

  start(): void {
    const { call } = this;
    call.on('data', (request: SubscribeRequest) => {
      this.gathered.push(request);
      if (this.gathered.length >= maxGathered) call.pause();
      void this.work();
    });
    call.on('end', () => {
      this.hasEnded = true;
      void this.work();
    });
    call.on('drain', () => {
      this.isBlocked = false;
      this.want(0);
    });
    call.once('close', () => this.leave());
    this.forget = this.parts.closing.tell(() => this.refuse(problemOf('closed', 'bigpipe is shutting down')));
  }

  take(lease: Lease): void {
    this.credits -= 1;
    this.held.add(lease);
    void lease.over.then(() => this.held.delete(lease));
    this.isBlocked = !this.call.write({ delivery: leasedMessage(lease) });
  }

  /** In the order in which they came. Never rejects. */
  private async work(): Promise<void> {
    if (this.isWorking) return;
    this.isWorking = true;
    for (let request = this.gathered.shift(); request !== undefined && !this.isOver; request = this.gathered.shift()) {
      const caller = await this.parts.callerOf();
      const problem = caller === null ? unknownCaller : await this.done(request, caller);
      if (problem !== null) this.refuse(problem);
      if (this.gathered.length === 0) this.call.resume();
    }
    this.isWorking = false;
    if (this.hasEnded && !this.isOver) this.end(() => this.call.end());
  }

  private async done(request: SubscribeRequest, caller: AclEntry): Promise<Problem | null> {
    const { start, credits = 0, acks, nacks, heartbeat = false } = request;
    if (this.place !== null && start !== undefined) return wrong('start', 'only in the first request');
    const place = this.place ?? (await this.begin(request, caller));
    if ('code' in place) return place;
    if (!caller.mayPull(place.group))
      return problemOf('forbidden', 'this caller may not fetch from that group any more');
    if (acks.length + nacks.length > maxLeases) return wrong('acks', `at most ${maxLeases} leases with nacks together`);
    const { foreign } = place;
    await this.settle(place, ackErrand(acks));
    for (const [i, { lease = '', delay, reject = false, reason = 'nacked by its subscriber' }] of nacks.entries()) {
      const waitMs = delay === undefined ? null : millisecondsOf(delay);
      if (waitMs !== null && !(waitMs >= 0 && waitMs <= longestDelayMs))
        return wrong(`nacks[${i}].delay`, '0 to 366 days');
      await this.settle(place, nackErrand([lease], { waitMs, isRejected: reject, detail: reason.slice(0, 1024) }));
    }
    if (heartbeat) {
      for (const lease of this.held) lease.extend(this.leaseMs ?? lease.delivery.settings.timeoutMs);
      await foreign.extend(this.leaseMs ?? this.parts.leaseMsOf(place.group));
    }
    if (this.credits + credits > maxCredits) return wrong('credits', `at most ${maxCredits} that are not used`);
    this.want(credits);
    return null;
  }

  private async begin({ start }: SubscribeRequest, caller: AclEntry): Promise<Place | Problem> {
    const { group = '', lease } = start ?? {};
    if (group === '') return wrong('start.group', 'a group, in the first request');
    const leaseMs = lease === undefined ? null : millisecondsOf(lease);
    if (leaseMs !== null && !(leaseMs >= shortestLeaseMs && leaseMs <= longestLeaseMs))
      return wrong('start.lease', '0.1 to 43,200 seconds');
    const against = await this.parts.against(caller, group);
    if (against !== null) return against;
    if (caller.admit() !== null) return usedUp;
    // It has gone meanwhile.
    const entered = this.isOver ? null : this.parts.enter(group);
    if (entered === null) return problemOf('overloaded', 'as many wait for messages as may');
    this.caller = caller.name;
    this.leaseMs = leaseMs;
    const foreign = new ForeignFeed(this.feedOf(group));
    this.place = { group, foreign, ...entered };
    void foreign.run();
    return this.place;
  }

  private feedOf(group: string): FeedParts {
    const { wholeGroup, clock } = this.parts;
    return {
      wholeGroup,
      clock,
      group,
      caller: this.caller,
      leaseMs: this.leaseMs,
      wants: () => this.wants,
      reserve: (credits) => this.want(-credits),
      take: (message) => {
        if (!this.isOver) this.isBlocked = !this.call.write({ delivery: foreignDelivery(message) }) || this.isBlocked;
      },
    };
  }

  /** Leases of this node at once; only those of other nodes are waited for. */
  private async settle({ mailbox, group, foreign }: Place, errand: Errand): Promise<void> {
    const elsewhere: string[] = [];
    for (const lease of errand.leases) {
      if (this.parts.wholeGroup.mayBeElsewhere(lease)) elsewhere.push(lease);
      else this.tell(lease, errand.here(mailbox, lease, this.caller));
    }
    if (elsewhere.length === 0) return;
    const faults = await this.parts.wholeGroup.settle(group, this.caller, { ...errand, leases: elsewhere });
    for (const [i, lease] of elsewhere.entries()) {
      const fault = faults[i] ?? null;
      if (fault?.code !== 'unreachable') foreign.forget(lease);
      if (!this.isOver) this.tell(lease, fault);
    }
  }

  /** Behind the others who wait. */
  private want(more: number): void {
    const { place } = this;
    if (place === null || this.isOver) return;
    place.mailbox.leave(this);
    this.credits += more;
    if (this.wants > 0) place.mailbox.join(this);
  }

  private tell(lease: string, fault: LeaseFault | null): void {
    if (fault !== null) this.isBlocked = !this.call.write({ fault: { lease, ...fault } }) || this.isBlocked;
  }

  private refuse(problem: Problem): void {
    if (!this.isOver) this.end(() => this.call.emit('error', errorOf(problem)));
  }

  private end(end: () => void): void {
    this.leave();
    end();
    // What still comes is read and thrown away, so that the stream can close.
    this.call.resume();
  }

  /** What is in its hands goes to somebody else. Twice is fine. */
  private leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.forget();
    this.place?.mailbox.leave(this);
    this.place?.leave();
    this.place?.foreign.stop();
    for (const lease of this.held) lease.nack(gone);
  }
}

const wrong = (pointer: string, allowed: string) =>
  problemOf('invalid-request', '1 fault', [{ detail: `allowed: ${allowed}`, pointer }]);
