// The books: what was accepted, what arrived, and at each arrival what must never be. Memory does not grow with the run.
import { idOf, laneOf } from './call-name.ts';

/** 2xx; another status; a status that means never; no answer, or none that can be read. */
export type Ending = 'delivered' | 'failed' | 'rejected' | 'broken';

export interface Arriving {
  readonly id: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The header bigpipe-redelivery. */
  readonly redelivery: string | null;
  readonly isWhole: boolean;
}

/** A request at a receiver, from its arrival to its end. */
export interface Attempt {
  readonly id: string;
  readonly lane: Lane | null;
  readonly entry: Entry | null;
  readonly said: Arriving;
  /** Those that arrived while it was at the receiver: faults if it is answered after all. */
  readonly beside: string[];
  isOver: boolean;
}

interface Entry {
  readonly sequence: number;
  state: 'sent' | 'accepted' | 'unknown' | 'refused';
  acceptedMs: number;
  arrivals: number;
  deliveries: number;
  deliveredMs: number;
  /** Lives of the program that had begun when it was delivered. */
  life: number;
  /** Its receiver gave bigpipe reason to put it among the dead letters. */
  mayBeDead: boolean;
  /** It came back from the dead letter; what a kill left of it before that may come beside it, unless a lane holds it. */
  wasRedriven: boolean;
}

interface Lane {
  readonly name: string;
  readonly destination: number;
  readonly givesUp: boolean;
  readonly isOrdered: boolean;
  next: number;
  /** Not delivered yet, oldest first. */
  readonly open: Map<number, Entry>;
  /** Of those that were delivered. */
  highest: number;
  readonly live: Set<Attempt>;
}

export interface BooksSettings {
  /** Topics whose calls go to the dead letter after some attempts, of which not all need arrive. */
  readonly givingUp: ReadonlySet<string>;
  /** Delivered calls of which all is remembered; of older ones only that they were delivered. */
  readonly keptDeliveries: number;
  readonly now: () => number;
}

export const faultKinds = ['early', 'late', 'overlap', 'unnamed', 'changed', 'foreign', 'crash-without-kill'] as const;
export type FaultKind = (typeof faultKinds)[number];

const keptExamples = 20;

export class Books {
  accepted = 0;
  refused = 0;
  unknown = 0;
  arrived = 0;
  /** Calls that were answered 2xx at least once. */
  delivered = 0;
  /** Further 2xx answers, by what bigpipe said about them. */
  readonly duplicates = new Map<string, number>();
  readonly refusals = new Map<string, number>();
  /** How long before the kill those were delivered that came again as `crash`: the longest. */
  oldestCrashRepeatMs = 0;
  longestStallMs = 0;
  longestStallAtMs = 0;
  readonly faults = new Map<FaultKind, number>();
  readonly examples: string[] = [];
  /** Starts of the program so far. */
  life = 0;
  private readonly lanes = new Map<string, Lane>();
  /** Destinations that cannot be reached. */
  private readonly away = new Set<number>();
  private readonly recent = new Map<string, Entry>();
  /** By life: when it was killed. */
  private readonly killsMs = new Map<number, number>();
  private openAccepted = 0;
  private progressMs = 0;
  private readonly settings: BooksSettings;

  constructor(settings: BooksSettings) {
    this.settings = settings;
  }

  /** Accepted and not delivered. */
  get open(): number {
    return this.openAccepted;
  }

  count(kind: FaultKind): number {
    return this.faults.get(kind) ?? 0;
  }

  /** The next sequence of a lane, which is sent now. */
  sending(topic: string, destination: number, key: string): string {
    const lane = this.lane(topic, destination, key);
    const sequence = lane.next;
    lane.next += 1;
    lane.open.set(sequence, { ...newEntry(sequence), mayBeDead: lane.givesUp && this.away.has(destination) });
    return idOf({ topic, destination, key, sequence });
  }

  answered(id: string, answer: 'accepted' | 'unknown'): void {
    const entry = this.entryOf(id);
    if (entry === null) return;
    entry.state = answer;
    entry.acceptedMs = this.settings.now();
    if (answer === 'unknown') this.unknown += 1;
    else this.accepted += 1;
    if (entry.deliveries > 0) this.retire(id, entry);
    else if (answer === 'accepted') this.opened();
  }

  refusedCall(id: string, why: string): void {
    this.refused += 1;
    this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
    const entry = this.entryOf(id);
    if (entry === null) return;
    entry.state = 'refused';
    if (entry.arrivals > 0) this.fault('foreign', `${id} was refused and had come`);
    this.retire(id, entry);
  }

  arrives(said: Arriving): Attempt {
    const { id } = said;
    const now = this.settings.now();
    this.arrived += 1;
    const lane = this.laneOfId(id);
    const entry = lane === null ? null : this.entryOf(id);
    const attempt: Attempt = { id, lane, entry, said, beside: [], isOver: false };
    if (lane === null || sequenceOf(id) >= lane.next) {
      this.fault('foreign', `${id} was never sent`);
      return attempt;
    }
    if (!said.isWhole) this.fault('changed', `${id} came with another body`);
    if (entry?.state === 'refused') this.fault('foreign', `${id} was refused and came`);
    const isFirst = entry !== null && entry.arrivals === 0;
    if (entry !== null) entry.arrivals += 1;
    if (!isFirst && said.redelivery === null) {
      this.fault('unnamed', `${id} came again without a word (attempt ${said.attempt}, life ${this.life})`);
    }
    if (isFirst && lane.isOrdered) this.checkBefore(lane, entry, id);
    if (entry !== null && said.redelivery === 'redrive') entry.wasRedriven = true;
    for (const other of lane.live) {
      if (lane.isOrdered || (other.id === id && entry?.wasRedriven !== true)) other.beside.push(id);
    }
    lane.live.add(attempt);
    if (entry !== null && said.attempt >= said.maxAttempts) entry.mayBeDead = true;
    if (now < this.progressMs) this.progressMs = now;
    return attempt;
  }

  /** An attempt that is answered was still wanted: whatever came beside it was one too many. */
  ended(attempt: Attempt, ending: Ending): void {
    if (attempt.isOver) return;
    attempt.isOver = true;
    const { lane, entry, id } = attempt;
    lane?.live.delete(attempt);
    if (ending !== 'broken') {
      for (const other of attempt.beside) this.fault('overlap', `${other} came while ${id} was being answered`);
    }
    if (lane === null) return;
    if (ending === 'rejected' && entry !== null) entry.mayBeDead = true;
    if (ending === 'delivered') this.deliver(lane, entry, attempt);
  }

  /** From now on attempts may fail that nobody sees arrive. */
  unreachable(destination: number): void {
    this.away.add(destination);
    for (const lane of this.lanes.values()) {
      if (lane.destination !== destination || !lane.givesUp) continue;
      for (const entry of lane.open.values()) entry.mayBeDead = true;
    }
  }

  reachable(destination: number): void {
    this.away.delete(destination);
  }

  started(): void {
    this.life += 1;
    this.progressMs = this.settings.now();
  }

  killed(): void {
    this.killsMs.set(this.life, this.settings.now());
    if (this.killsMs.size > 1000) this.killsMs.delete(this.killsMs.keys().next().value as number);
  }

  /** Ids of accepted calls that were never answered 2xx, at most so many. */
  missing(most = 100_000): string[] {
    const ids: string[] = [];
    for (const lane of this.lanes.values()) {
      for (const { state, sequence } of lane.open.values()) {
        if (state === 'accepted' && ids.length < most) ids.push(`${lane.name}:${sequence}`);
      }
    }
    return ids;
  }

  private checkBefore(lane: Lane, entry: Entry, id: string): void {
    for (const { sequence, state, mayBeDead } of lane.open.values()) {
      if (sequence >= entry.sequence) return;
      if (state !== 'accepted' || mayBeDead) continue;
      this.fault('early', `${id} came before ${lane.name}:${sequence} was settled`);
      return;
    }
  }

  private deliver(lane: Lane, entry: Entry | null, { id, said }: Attempt): void {
    const now = this.settings.now();
    if (entry === null || entry.deliveries > 0) {
      const cause = said.redelivery ?? 'unnamed';
      this.duplicates.set(cause, (this.duplicates.get(cause) ?? 0) + 1);
      if (cause === 'crash' && entry !== null) this.checkCrash(id, entry);
      if (entry !== null) {
        entry.deliveries += 1;
        entry.deliveredMs = now;
        entry.life = this.life;
      }
      return;
    }
    if (lane.isOrdered && entry.sequence < lane.highest && !entry.mayBeDead) {
      this.fault('late', `${id} was first delivered after ${lane.name}:${lane.highest}`);
    }
    lane.highest = Math.max(lane.highest, entry.sequence);
    entry.deliveries = 1;
    entry.deliveredMs = now;
    entry.life = this.life;
    this.delivered += 1;
    if (entry.state === 'accepted') this.openAccepted -= 1;
    this.noteStall(now);
    if (entry.state !== 'sent') this.retire(id, entry);
  }

  /** A life that was not killed repeats nothing as `crash`; of a dead letter there may have been two, and one delivered. */
  private checkCrash(id: string, { life, deliveredMs, mayBeDead }: Entry): void {
    const killedMs = this.killsMs.get(life);
    if (killedMs === undefined && mayBeDead) return;
    if (killedMs === undefined) this.fault('crash-without-kill', `${id} came as crash, delivered in life ${life}`);
    else this.oldestCrashRepeatMs = Math.max(this.oldestCrashRepeatMs, killedMs - deliveredMs);
  }

  /** Delivered, or refused: it leaves its lane, and in time the books. */
  private retire(id: string, entry: Entry): void {
    this.laneOfId(id)?.open.delete(entry.sequence);
    this.recent.set(id, entry);
    if (this.recent.size > this.settings.keptDeliveries) this.recent.delete(this.recent.keys().next().value as string);
  }

  private opened(): void {
    if (this.openAccepted === 0) this.progressMs = this.settings.now();
    this.openAccepted += 1;
  }

  private noteStall(now: number): void {
    if (now - this.progressMs > this.longestStallMs) {
      this.longestStallMs = now - this.progressMs;
      this.longestStallAtMs = this.progressMs;
    }
    this.progressMs = now;
  }

  private fault(kind: FaultKind, text: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    if (this.examples.length < keptExamples) this.examples.push(`${kind}: ${text}`);
  }

  private laneOfId(id: string): Lane | null {
    return this.lanes.get(id.slice(0, id.lastIndexOf(':'))) ?? null;
  }

  /** Null for what was delivered long ago, and for what was never sent. */
  private entryOf(id: string): Entry | null {
    return this.laneOfId(id)?.open.get(sequenceOf(id)) ?? this.recent.get(id) ?? null;
  }

  private lane(topic: string, destination: number, key: string): Lane {
    const name = laneOf({ topic, destination, key });
    const known = this.lanes.get(name);
    if (known !== undefined) return known;
    const lane: Lane = {
      name,
      destination,
      givesUp: this.settings.givingUp.has(topic),
      isOrdered: key !== '',
      next: 0,
      open: new Map(),
      highest: -1,
      live: new Set(),
    };
    this.lanes.set(name, lane);
    return lane;
  }
}

const sequenceOf = (id: string) => Number(id.slice(id.lastIndexOf(':') + 1));

const newEntry = (sequence: number): Entry => ({
  sequence,
  state: 'sent',
  acceptedMs: 0,
  arrivals: 0,
  deliveries: 0,
  deliveredMs: 0,
  life: 0,
  mayBeDead: false,
  wasRedriven: false,
});
