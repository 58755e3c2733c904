// The endpoints of a subscription that has a group of receivers: one lane unit, and a gate row for each of them.
import type { EndpointSettings, SubscriptionSettings } from '../../config-watch/settings.js';
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
import { bestOf, type Choosable, hashOf, turned } from './endpoint-choice.js';

/** With sticky keys: so many ready deliveries are looked at for one whose endpoint has room. */
const stickyLookAhead = 64;

/** One that says so is set aside, and its keys go elsewhere meanwhile; every other reason means that it is busy. */
const setAside: ReadonlySet<HoldReason> = new Set(['circuit', 'retry-after', 'pause', 'consent']);

interface Endpoint extends Choosable {
  readonly name: string;
  readonly url: CallUrl;
  readonly row: GateRow;
  weight: number;
  inFlight: number;
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
 */
export class EndpointGroup implements Row {
  private endpoints: readonly Endpoint[] = [];
  private settings: GateSettings;

  constructor(private readonly parts: GroupParts) {
    this.settings = parts.scope;
    this.follow();
  }

  get lookAhead(): number {
    return this.settings.subscription.choice === 'sticky' ? stickyLookAhead : 1;
  }

  enter(candidate: Candidate, delivery: Delivery): Leave {
    // It goes nowhere, which ends it.
    if (this.endpoints.length === 0 && !this.settings.subscription.durable) return { passes: [] };
    const nowMs = this.parts.clock.elapsedMs();
    const choice = this.choiceFor(delivery);
    const holds: Hold[] = [];
    const last = delivery.attempt > 1 ? delivery.endpoint : null;
    let left = this.endpoints.filter(({ name }) => name !== last);
    let isLast = left.length === this.endpoints.length;
    while (left.length > 0 || !isLast) {
      if (left.length === 0) {
        isLast = true;
        left = this.endpoints.filter(({ name }) => name === last);
        continue;
      }
      const endpoint = bestOf(choice, left, delivery.source.key);
      const hold = heldNow(endpoint, nowMs);
      const leave = hold === null ? endpoint.row.enter(candidate) : { hold };
      if ('passes' in leave) {
        // Who could not have had it does not catch up later.
        turned(
          endpoint,
          this.endpoints.filter((one) => heldNow(one, nowMs) === null),
        );
        return { passes: [this.passOf(endpoint), ...leave.passes], endpoint };
      }
      // A budget holds back retries only.
      if (leave.hold.reason !== 'budget') endpoint.hold = leave.hold;
      holds.push(leave.hold);
      if (choice === 'sticky' && !setAside.has(leave.hold.reason)) break;
      left = left.filter((other) => other !== endpoint);
    }
    return { hold: holdOf(holds, this.endpoints.length) };
  }

  adjust(settings: GateSettings): void {
    this.settings = settings;
    const before = this.endpoints;
    this.follow();
    for (const { name, row } of this.endpoints) row.adjust(this.settingsOf(name));
    const isSame = this.endpoints.length === before.length && this.endpoints.every((one, i) => one === before[i]);
    if (!isSame) this.parts.scope.wake();
  }

  get isAtRest(): boolean {
    return this.endpoints.every(({ row }) => row.isAtRest);
  }

  states(): GateState[] {
    return this.endpoints.flatMap(({ name, row }) =>
      row.states().map((state) => ({ ...state, reason: `${name}: ${state.reason}` })),
    );
  }

  figures(): readonly GateFigures[] {
    return this.endpoints.flatMap(({ row }) => row.figures());
  }

  close(): void {
    for (const { row } of this.endpoints) row.close();
  }

  private choiceFor({ source }: Delivery): SubscriptionSettings['choice'] {
    const { choice } = this.settings.subscription;
    return choice === 'sticky' && source.key === null ? 'round-robin' : choice;
  }

  /** To the endpoints that the settings name; those that stay keep their gates. */
  private follow(): void {
    const known = new Map(this.endpoints.map((endpoint) => [endpoint.name, endpoint]));
    this.endpoints = (this.settings.subscription.endpoints ?? []).map((settings) => {
      const endpoint = known.get(settings.url) ?? this.open(settings);
      known.delete(settings.url);
      endpoint.weight = settings.weight;
      return endpoint;
    });
    for (const gone of known.values()) {
      gone.isGone = true;
      if (gone.inFlight === 0) gone.row.close();
    }
  }

  private open({ url, weight }: EndpointSettings): Endpoint {
    const { gates, scope } = this.parts;
    const callUrl = parseCallUrl(url) as CallUrl;
    const endpoint: Endpoint = {
      name: url,
      url: callUrl,
      row: gates.openDestination({
        ...this.settingsOf(url),
        name: callUrl.origin,
        receiver: callUrl,
        share: scope.share ?? (() => 1),
        hasPeers: () => this.endpoints.length > 1 || scope.hasPeers(),
        wake: () => {
          endpoint.hold = null;
          scope.wake();
        },
      }),
      weight,
      inFlight: 0,
      hash: hashOf(url),
      // Behind those whose turn it is.
      turn: 0,
      hold: null,
      isGone: false,
    };
    return endpoint;
  }

  /** With the warm-up that the endpoint asked for. */
  private settingsOf(url: string): GateSettings {
    const { subscription, destination } = this.settings;
    const own = subscription.endpoints?.find((endpoint) => endpoint.url === url)?.warmupMs ?? null;
    return { subscription: own === null ? subscription : { ...subscription, warmupMs: own }, destination };
  }

  private passOf(endpoint: Endpoint): Pass {
    endpoint.inFlight += 1;
    const ended = () => {
      endpoint.inFlight -= 1;
      if (endpoint.isGone && endpoint.inFlight === 0) endpoint.row.close();
    };
    const cancel = () => {
      // What it gives back may be asked for at once.
      endpoint.hold = null;
      ended();
    };
    return { settle: ended, cancel };
  }
}

function heldNow({ hold }: Endpoint, nowMs: number): Hold | null {
  return hold !== null && (hold.untilMs === null || nowMs < hold.untilMs) ? hold : null;
}

/** Why none of them takes it; a budget first, since first attempts may pass it. */
function holdOf(holds: readonly Hold[], count: number): Hold {
  const budget = holds.find(({ reason }) => reason === 'budget');
  if (budget !== undefined) return budget;
  const [first] = holds;
  if (first === undefined) return { reason: 'no-endpoint', untilMs: null, detail: 'the group has no endpoint' };
  if (holds.length === 1) return first;
  return { ...earliestOf(holds), detail: `none of ${count} endpoints takes it, the first says: ${first.detail}` };
}

/** The one that ends first; those without a time end by a wake. */
export function earliestOf(holds: readonly Hold[]): Hold {
  return holds.reduce((one, other) => ((other.untilMs ?? Infinity) < (one.untilMs ?? Infinity) ? other : one));
}
