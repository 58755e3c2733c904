// One subscriber: a group's messages as they come, as many as it has credits for, each leased until it says how it went.
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { AclEntry } from '../../acl/acl-entry.js';
import type { Lease } from '../../target/mailbox/lease.js';
import type { LeaseFault, Mailbox, Taker } from '../../target/mailbox/mailbox.js';
import { type Problem, problemOf } from '../messages/problem.js';
import type { Closing } from './closing.js';
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
  readonly group: string;
  readonly mailbox: Mailbox;
  readonly leave: () => void;
}

export interface SubscribeParts {
  readonly callerOf: () => Promise<AclEntry | null>;
  /** Why the caller gets nothing of the group; null when he does. */
  readonly against: (caller: AclEntry, group: string) => Problem | null;
  /** Null: as many as may wait do. */
  readonly enter: (group: string) => Omit<Place, 'group'> | null;
  readonly closing: Closing;
}

export class SubscribeStream implements Taker {
  /** Others of the group get theirs in between. */
  readonly takesTurns = true;
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
      const problem = caller === null ? unknownCaller : this.done(request, caller);
      if (problem !== null) this.refuse(problem);
      if (this.gathered.length === 0) this.call.resume();
    }
    this.isWorking = false;
    if (this.hasEnded && !this.isOver) this.end(() => this.call.end());
  }

  private done(request: SubscribeRequest, caller: AclEntry): Problem | null {
    const { start, credits = 0, acks, nacks, heartbeat = false } = request;
    if (this.place !== null && start !== undefined) return wrong('start', 'only in the first request');
    const place = this.place ?? this.begin(request, caller);
    if ('code' in place) return place;
    if (!caller.mayPull(place.group))
      return problemOf('forbidden', 'this caller may not fetch from that group any more');
    if (acks.length + nacks.length > maxLeases) return wrong('acks', `at most ${maxLeases} leases with nacks together`);
    const { mailbox } = place;
    for (const lease of acks) this.tell(lease, mailbox.ack(lease, this.caller));
    for (const [i, { lease = '', delay, reject = false, reason = 'nacked by its subscriber' }] of nacks.entries()) {
      const waitMs = delay === undefined ? null : millisecondsOf(delay);
      if (waitMs !== null && !(waitMs >= 0 && waitMs <= longestDelayMs))
        return wrong(`nacks[${i}].delay`, '0 to 366 days');
      this.tell(lease, mailbox.nack(lease, this.caller, { waitMs, isRejected: reject, detail: reason.slice(0, 1024) }));
    }
    if (heartbeat) for (const lease of this.held) lease.extend(this.leaseMs ?? lease.delivery.settings.timeoutMs);
    if (this.credits + credits > maxCredits) return wrong('credits', `at most ${maxCredits} that are not used`);
    this.want(credits);
    return null;
  }

  private begin({ start }: SubscribeRequest, caller: AclEntry): Place | Problem {
    const { group = '', lease } = start ?? {};
    if (group === '') return wrong('start.group', 'a group, in the first request');
    const leaseMs = lease === undefined ? null : millisecondsOf(lease);
    if (leaseMs !== null && !(leaseMs >= shortestLeaseMs && leaseMs <= longestLeaseMs))
      return wrong('start.lease', '0.1 to 43,200 seconds');
    const against = this.parts.against(caller, group);
    if (against !== null) return against;
    if (caller.admit() !== null) return usedUp;
    const entered = this.parts.enter(group);
    if (entered === null) return problemOf('overloaded', 'as many wait for messages as may');
    this.caller = caller.name;
    this.leaseMs = leaseMs;
    this.place = { group, ...entered };
    return this.place;
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
    for (const lease of this.held) lease.nack(gone);
  }
}

const wrong = (pointer: string, allowed: string) =>
  problemOf('invalid-request', '1 fault', [{ detail: `allowed: ${allowed}`, pointer }]);
