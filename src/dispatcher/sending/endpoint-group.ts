// The endpoints of a subscription that has a group of receivers: one lane unit, and a gate row for each of them.
import { isDeepStrictEqual } from 'node:util';
import type { EndpointChoice, EndpointSettings } from '../../config-watch/settings.js';
import { type CallUrl, parseCallUrl } from '../../message/call-url.js';
import type { Clock } from '../../message/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type {
  Candidate,
  GateFigures,
  GateScope,
  GateSettings,
  GateState,
  Hold,
  HoldReason,
  Pass,
} from '../../policy/policy.js';
import type { GateRow, Gates, Leave, Row } from '../gates.js';
import { EndpointLine, type Queued, Turn } from './endpoint-line.js';
import { type Hashed, hashOf, KeyedChoice } from './keyed-choice.js';
import { PlaceHeap } from './place-heap.js';

/** With sticky keys: so many ready deliveries are looked at for one whose endpoint has room. */
const stickyLookAhead = 64;
/** So many endpoints are asked about a retry that say their budget is used up. */
const maxOverBudget = 16;
/** More would make a page that nobody reads. */
const maxStates = 100;

/** One that says so is set aside, and its keys go elsewhere meanwhile; every other reason means that it is busy. */
const setAside: ReadonlySet<HoldReason> = new Set(['circuit', 'retry-after', 'pause', 'consent']);

/** In the line while nothing is known to hold it, among the held ones while its gates have named a time. */
interface Endpoint extends Queued, Hashed {
  readonly name: string;
  readonly row: GateRow;
  readonly url: CallUrl;
  weight: number;
  /** null: the subscription's. */
  warmupMs: number | null;
  /** What its gates said last, until they say otherwise. */
  hold: Hold | null;
  isGone: boolean;
}

export interface GroupParts {
  readonly clock: Clock;
  readonly gates: Gates;
  /** The destination's, under whose name the group's lanes stand. */
  readonly scope: GateScope;
}

/**
 * Lets a delivery through to one endpoint: the best by the group's choice whose gates let it pass, and after a failed
 * attempt another one first. An endpoint that has gone ends what is in flight there and gets nothing more.
 * Who is held is not asked again before his time: an attempt costs the logarithm of how many endpoints there are.
 */
export class EndpointGroup implements Row {
  private byName = new Map<string, Endpoint>();
  private choice: EndpointChoice;
  private line: EndpointLine<Endpoint>;
  private readonly held = new PlaceHeap<Endpoint>((a, b) => untilOf(a) < untilOf(b));
  /** Where keys are sticky: all that are not set aside. */
  private keyed: KeyedChoice<Endpoint> | null = null;
  private settings: GateSettings;
  /** What was last told to the gates. */
  private told: object;
  private opened = 0;

  constructor(private readonly parts: GroupParts) {
    this.settings = parts.scope;
    this.told = withoutEndpoints(parts.scope);
    this.choice = parts.scope.subscription.choice;
    this.line = this.newLine();
    this.reorder();
    this.follow();
  }

  get lookAhead(): number {
    return this.choice === 'sticky' ? stickyLookAhead : 1;
  }

  enter(candidate: Candidate, delivery: Delivery): Leave {
    // It goes nowhere, which ends it.
    if (this.byName.size === 0 && !this.settings.subscription.durable) return { passes: [] };
    this.releaseDue(this.parts.clock.elapsedMs());
    const last = delivery.attempt > 1 ? (this.byName.get(delivery.endpoint ?? '') ?? null) : null;
    const { key } = delivery.source;
    if (this.keyed === null || key === null) return this.enterInLine(candidate, last);
    return this.enterSticky(this.keyed, candidate, hashOf(key.toString('latin1')), last);
  }

  adjust(settings: GateSettings): void {
    this.settings = settings;
    const told = withoutEndpoints(settings);
    const isSame = isDeepStrictEqual(told, this.told);
    this.told = told;
    const hasChanged = this.follow();
    if (settings.subscription.choice !== this.choice) this.reorder();
    if (!isSame) for (const endpoint of this.byName.values()) endpoint.row.adjust(this.settingsOf(endpoint));
    if (hasChanged) this.parts.scope.wake();
  }

  get isAtRest(): boolean {
    for (const { row } of this.byName.values()) if (!row.isAtRest) return false;
    return true;
  }

  states(): GateState[] {
    const states: GateState[] = [];
    for (const { name, row } of this.byName.values()) {
      for (const state of row.states()) states.push({ ...state, reason: `${name}: ${state.reason}` });
      if (states.length >= maxStates) break;
    }
    return states;
  }

  figures(): readonly GateFigures[] {
    return [...this.byName.values()].flatMap(({ row }) => row.figures());
  }

  close(): void {
    for (const { row } of this.byName.values()) row.close();
  }

  private enterInLine(candidate: Candidate, last: Endpoint | null): Leave {
    const putBack: Endpoint[] = [];
    const leave = this.askInLine(candidate, last, putBack);
    for (const endpoint of putBack) if (endpoint.hold === null && !this.line.has(endpoint)) this.line.add(endpoint);
    return leave;
  }

  /** `putBack`: taken out of the line, so that others are asked. */
  private askInLine(candidate: Candidate, last: Endpoint | null, putBack: Endpoint[]): Leave {
    let firstHold: Hold | null = null;
    let budget: Hold | null = null;
    let isLastLeft = false;
    for (let overBudget = 0; overBudget < maxOverBudget; ) {
      const endpoint: Endpoint | undefined = this.line.first ?? (isLastLeft ? (last ?? undefined) : undefined);
      if (endpoint === undefined) break;
      if (endpoint === last && !isLastLeft) {
        isLastLeft = true;
        this.takeOut(endpoint, putBack);
        continue;
      }
      if (endpoint === last) isLastLeft = false;
      const leave = this.ask(endpoint, candidate);
      if ('passes' in leave) return leave;
      firstHold ??= leave.hold;
      if (leave.hold.reason !== 'budget') continue;
      // It holds back retries only: first attempts find it in the line.
      budget ??= leave.hold;
      overBudget += 1;
      if (this.line.has(endpoint)) this.takeOut(endpoint, putBack);
    }
    return { hold: budget ?? this.holdOfAll(firstHold) };
  }

  private enterSticky(
    keyed: KeyedChoice<Endpoint>,
    candidate: Candidate,
    keyHash: number,
    last: Endpoint | null,
  ): Leave {
    let firstHold: Hold | null = null;
    for (;;) {
      const endpoint = keyed.of(keyHash, last) ?? keyed.of(keyHash, null);
      if (endpoint === undefined) return { hold: this.holdOfAll(firstHold) };
      const leave = endpoint.hold === null ? this.ask(endpoint, candidate) : { hold: endpoint.hold };
      if ('passes' in leave || !setAside.has(leave.hold.reason)) return leave;
      firstHold ??= leave.hold;
    }
  }

  private ask(endpoint: Endpoint, candidate: Candidate): Leave {
    const leave = endpoint.row.enter(candidate);
    if ('hold' in leave) {
      if (leave.hold.reason !== 'budget') this.holdBack(endpoint, leave.hold);
      return leave;
    }
    endpoint.inFlight += 1;
    this.line.took(endpoint);
    this.moved(endpoint);
    return { passes: [this.passOf(endpoint), ...leave.passes], endpoint };
  }

  private takeOut(endpoint: Endpoint, putBack: Endpoint[]): void {
    this.line.remove(endpoint);
    putBack.push(endpoint);
  }

  private holdBack(endpoint: Endpoint, hold: Hold): void {
    if (this.line.has(endpoint)) this.line.remove(endpoint);
    endpoint.hold = hold;
    if (hold.untilMs !== null) this.held.add(endpoint);
    if (setAside.has(hold.reason) && endpoint.slot !== -1) this.keyed?.remove(endpoint);
  }

  /** It may be asked again. */
  private release(endpoint: Endpoint): void {
    const { hold } = endpoint;
    if (hold === null) return;
    if (hold.untilMs !== null) this.held.remove(endpoint);
    endpoint.hold = null;
    if (endpoint.isGone) return;
    this.line.add(endpoint);
    if (endpoint.slot === -1) this.keyed?.add(endpoint);
  }

  private releaseDue(nowMs: number): void {
    for (let first = this.held.first; first !== undefined && untilOf(first) <= nowMs; first = this.held.first)
      this.release(first);
  }

  private moved(endpoint: Endpoint): void {
    if (endpoint.hold === null && this.line.has(endpoint)) this.line.moved(endpoint);
  }

  /** Why none of them takes it. */
  private holdOfAll(first: Hold | null): Hold {
    const [any] = this.byName.values();
    const hold = this.held.first?.hold ?? first ?? any?.hold ?? null;
    if (hold === null) return { reason: 'no-endpoint', untilMs: null, detail: 'the group has no endpoint' };
    const { size } = this.byName;
    if (size === 1) return hold;
    return { ...hold, detail: `none of ${size} endpoints takes it, the first says: ${(first ?? hold).detail}` };
  }

  /** To the endpoints that the settings name; those that stay keep their gates. True when others are there now. */
  private follow(): boolean {
    const before = this.byName;
    this.byName = new Map();
    let hasChanged = false;
    for (const settings of this.settings.subscription.endpoints ?? []) {
      const known = before.get(settings.url);
      before.delete(settings.url);
      hasChanged ||= known === undefined;
      const endpoint = known ?? this.open(settings);
      if (known !== undefined) this.change(endpoint, settings);
      this.byName.set(settings.url, endpoint);
    }
    for (const gone of before.values()) this.drop(gone);
    return hasChanged || before.size > 0;
  }

  private open({ url, weight, warmupMs }: EndpointSettings): Endpoint {
    const { gates, scope } = this.parts;
    const callUrl = parseCallUrl(url) as CallUrl;
    this.opened += 1;
    const endpoint: Endpoint = {
      name: url,
      url: callUrl,
      row: gates.openDestination({
        ...this.settingsOf({ warmupMs }),
        name: callUrl.origin,
        receiver: callUrl,
        share: scope.share ?? (() => 1),
        hasPeers: () => this.byName.size > 1 || scope.hasPeers(),
        wake: () => {
          this.release(endpoint);
          scope.wake();
        },
      }),
      weight,
      warmupMs,
      inFlight: 0,
      turn: new Turn(),
      order: this.opened,
      hash: hashOf(url),
      at: -1,
      slot: -1,
      hold: null,
      isGone: false,
    };
    this.line.add(endpoint);
    this.keyed?.add(endpoint);
    return endpoint;
  }

  private change(endpoint: Endpoint, { weight, warmupMs }: EndpointSettings): void {
    if (warmupMs !== endpoint.warmupMs) {
      endpoint.warmupMs = warmupMs;
      endpoint.row.adjust(this.settingsOf(endpoint));
    }
    if (weight === endpoint.weight) return;
    const isKeyed = endpoint.slot !== -1;
    if (isKeyed) this.keyed?.remove(endpoint);
    endpoint.weight = weight;
    endpoint.turn.beginAt(endpoint.turn.next);
    if (isKeyed) this.keyed?.add(endpoint);
    this.moved(endpoint);
  }

  private drop(endpoint: Endpoint): void {
    endpoint.isGone = true;
    if (endpoint.hold === null) this.line.remove(endpoint);
    else this.release(endpoint);
    if (endpoint.slot !== -1) this.keyed?.remove(endpoint);
    if (endpoint.inFlight === 0) endpoint.row.close();
  }

  private newLine(): EndpointLine<Endpoint> {
    return new EndpointLine(this.choice === 'least-in-flight' ? this.choice : 'round-robin');
  }

  /** By the choice as it is now. */
  private reorder(): void {
    this.choice = this.settings.subscription.choice;
    this.line = this.newLine();
    this.keyed = this.choice === 'sticky' ? new KeyedChoice() : null;
    for (const endpoint of this.byName.values()) {
      endpoint.slot = -1;
      if (endpoint.hold === null) this.line.add(endpoint);
      if (endpoint.hold === null || !setAside.has(endpoint.hold.reason)) this.keyed?.add(endpoint);
    }
  }

  /** With the warm-up that the endpoint asked for. */
  private settingsOf({ warmupMs }: Pick<Endpoint, 'warmupMs'>): GateSettings {
    const { subscription, destination } = this.settings;
    return { subscription: warmupMs === null ? subscription : { ...subscription, warmupMs }, destination };
  }

  private passOf(endpoint: Endpoint): Pass {
    const ended = () => {
      endpoint.inFlight -= 1;
      this.moved(endpoint);
      if (endpoint.isGone && endpoint.inFlight === 0) endpoint.row.close();
    };
    const cancel = () => {
      ended();
      // What it gives back may be asked for at once.
      this.release(endpoint);
    };
    return { settle: ended, cancel };
  }
}

/** The settings are written into where they stand: what was told of them must be kept. */
function withoutEndpoints({ subscription, destination }: GateSettings): object {
  return { subscription: { ...subscription, endpoints: null }, destination };
}

const untilOf = ({ hold }: Endpoint) => hold?.untilMs ?? Number.POSITIVE_INFINITY;

/** The one that ends first; those without a time end by a wake. */
export function earliestOf(holds: readonly Hold[]): Hold {
  return holds.reduce((one, other) => ((other.untilMs ?? Infinity) < (one.untilMs ?? Infinity) ? other : one));
}
