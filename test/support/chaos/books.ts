// The books: what was accepted, what arrived, and at each arrival what must never be. Memory does not grow with the run.
import { idOf, laneOf } from './call-name.ts';
import { Tally } from './tally.ts';

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
  /** Of its first arrivals: attempt, redelivery, life of the program. */
  heard: string;
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

export class Books {
  readonly tally = new Tally();
  /** Starts of the program so far. */
  life = 0;
  private readonly lanes = new Map<string, Lane>();
  /** Destinations that cannot be reached. */
  private readonly away = new Set<number>();
  private readonly recent = new Map<string, Entry>();
  /** By life: when it was killed. */
  private readonly killsMs = new Map<number, number>();
  private openAccepted = 0;
  private readonly settings: BooksSettings;

  constructor(settings: BooksSettings) {
    this.settings = settings;
  }

  /** Accepted and not delivered. */
  get open(): number {
    return this.openAccepted;
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
    if (answer === 'unknown') this.tally.unknown += 1;
    else this.tally.accepted += 1;
    if (entry.deliveries > 0) this.retire(id, entry);
    else if (answer === 'accepted') this.opened();
  }

  refusedCall(id: string, why: string): void {
    this.tally.refuse(why);
    const entry = this.entryOf(id);
    if (entry === null) return;
    entry.state = 'refused';
    if (entry.arrivals > 0) this.tally.fault('foreign', `${id} was refused and had come`);
    this.retire(id, entry);
  }

  arrives(said: Arriving): Attempt {
    const { id } = said;
    this.tally.arrived += 1;
    const lane = this.laneOfId(id);
    const entry = lane === null ? null : this.entryOf(id);
    const attempt: Attempt = { id, lane, entry, said, beside: [], isOver: false };
    if (lane === null || sequenceOf(id) >= lane.next) {
      this.tally.fault('foreign', `${id} was never sent`);
      return attempt;
    }
    if (!said.isWhole) this.tally.fault('changed', `${id} came with another body`);
    if (entry?.state === 'refused') this.tally.fault('foreign', `${id} was refused and came`);
    const isFirst = entry !== null && entry.arrivals === 0;
    if (entry !== null) {
      entry.arrivals += 1;
      if (entry.arrivals <= 5) entry.heard += ` ${said.attempt} ${said.redelivery ?? '-'} in life ${this.life};`;
    }
    if (!isFirst && said.redelivery === null) {
      this.tally.fault('unnamed', `${id} came again without a word:${entry?.heard ?? ' long after'}`);
    }
    if (isFirst && lane.isOrdered) this.checkBefore(lane, entry, id);
    if (entry !== null && said.redelivery === 'redrive') entry.wasRedriven = true;
    for (const other of lane.live) {
      if (lane.isOrdered || (other.id === id && entry?.wasRedriven !== true)) other.beside.push(id);
    }
    lane.live.add(attempt);
    if (entry !== null && said.attempt >= said.maxAttempts) entry.mayBeDead = true;
    return attempt;
  }

  /** An attempt that is answered was still wanted: whatever came beside it was one too many. */
  ended(attempt: Attempt, ending: Ending): void {
    if (attempt.isOver) return;
    attempt.isOver = true;
    const { lane, entry, id } = attempt;
    lane?.live.delete(attempt);
    if (ending !== 'broken') {
      for (const other of attempt.beside)
        this.tally.fault('overlap', `${other} came while ${id} was being answered:${entry?.heard ?? ''}`);
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
    this.tally.restart(this.settings.now());
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
      this.tally.fault('early', `${id} came before ${lane.name}:${sequence} was settled`);
      return;
    }
  }

  private deliver(lane: Lane, entry: Entry | null, { id, said }: Attempt): void {
    const now = this.settings.now();
    if (entry === null || entry.deliveries > 0) {
      const cause = said.redelivery ?? 'unnamed';
      this.tally.repeat(cause);
      if (cause === 'crash' && entry !== null) this.checkCrash(id, entry);
      if (entry !== null) {
        entry.deliveries += 1;
        entry.deliveredMs = now;
        entry.life = this.life;
      }
      return;
    }
    if (lane.isOrdered && entry.sequence < lane.highest && !entry.mayBeDead) {
      this.tally.fault('late', `${id} was first delivered after ${lane.name}:${lane.highest}`);
    }
    lane.highest = Math.max(lane.highest, entry.sequence);
    entry.deliveries = 1;
    entry.deliveredMs = now;
    entry.life = this.life;
    this.tally.delivered += 1;
    if (entry.state === 'accepted') this.openAccepted -= 1;
    this.tally.progress(now);
    if (entry.state !== 'sent') this.retire(id, entry);
  }

  /** A life that was not killed repeats nothing as `crash`; of a dead letter there may have been two, and one delivered. */
  private checkCrash(id: string, { life, deliveredMs, mayBeDead }: Entry): void {
    const killedMs = this.killsMs.get(life);
    if (killedMs === undefined && mayBeDead) return;
    if (killedMs === undefined)
      this.tally.fault('crash-without-kill', `${id} came as crash, delivered in life ${life}`);
    else this.tally.crashRepeat(killedMs - deliveredMs);
  }

  /** Delivered, or refused: it leaves its lane, and in time the books. */
  private retire(id: string, entry: Entry): void {
    this.laneOfId(id)?.open.delete(entry.sequence);
    this.recent.set(id, entry);
    if (this.recent.size > this.settings.keptDeliveries) this.recent.delete(this.recent.keys().next().value as string);
  }

  private opened(): void {
    if (this.openAccepted === 0) this.tally.restart(this.settings.now());
    this.openAccepted += 1;
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
  heard: '',
});
