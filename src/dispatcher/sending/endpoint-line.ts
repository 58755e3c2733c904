// Which of the endpoints that may have an attempt is next: in turn by weight, or the one with the least in flight.
import { type Placed, PlaceHeap } from './place-heap.js';

/** When an endpoint is next, in rounds: each has as many turns of a round as it weighs, spread over it. */
export class Turn {
  /** In rounds. */
  next = 0;
  private begun = 0;
  private taken = 0;

  /** Counted, not added up, so that no rounding grows. */
  take(weight: number): void {
    this.taken += 1;
    this.next = this.begun + this.taken / weight;
  }

  /** From here on: with another weight, or after a time in which it could not have had an attempt. */
  beginAt(round: number): void {
    this.begun = round;
    this.next = round;
    this.taken = 0;
  }
}

export interface Queued extends Placed {
  weight: number;
  inFlight: number;
  readonly turn: Turn;
  /** Of those that are equal otherwise the lowest is first. */
  readonly order: number;
}

/** The choice, and whatever moves an endpoint, costs the logarithm of how many there are. */
export class EndpointLine<T extends Queued> {
  private readonly heap: PlaceHeap<T>;
  /** Where the last one that was chosen stood. */
  private round = 0;

  constructor(choice: 'round-robin' | 'least-in-flight') {
    this.heap = new PlaceHeap<T>(choice === 'round-robin' ? isBefore : isIdler);
  }

  get first(): T | undefined {
    return this.heap.first;
  }

  has(endpoint: T): boolean {
    return endpoint.at !== -1;
  }

  /** Who could not have had an attempt meanwhile does not catch up. */
  add(endpoint: T): void {
    if (endpoint.turn.next < this.round) endpoint.turn.beginAt(this.round);
    this.heap.add(endpoint);
  }

  remove(endpoint: T): void {
    this.heap.remove(endpoint);
  }

  /** It has got an attempt. */
  took(endpoint: T): void {
    this.round = Math.max(this.round, endpoint.turn.next);
    endpoint.turn.take(endpoint.weight);
  }

  /** Call this after its weight, its turn or what it has in flight has changed. */
  moved(endpoint: T): void {
    this.heap.moved(endpoint);
  }
}

function isBefore(a: Queued, b: Queued): boolean {
  return a.turn.next === b.turn.next ? a.order < b.order : a.turn.next < b.turn.next;
}

function isIdler(a: Queued, b: Queued): boolean {
  const [ofA, ofB] = [(a.inFlight + 1) / a.weight, (b.inFlight + 1) / b.weight];
  return ofA === ofB ? isBefore(a, b) : ofA < ofB;
}
