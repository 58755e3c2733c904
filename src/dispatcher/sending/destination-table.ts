// The destinations of one subscription: a bounded table from which the least recently used go.
import type { DestinationSettings, SubscriptionSettings } from '../../config-watch/settings.js';
import { type CallUrl, parseCallUrl } from '../../message/call-url.js';
import type { Clock } from '../../message/clock.js';
import { groupDestination } from '../../message/delivery.js';
import { LinkedSet } from '../../message/linked-set.js';
import type { GateScope } from '../../policy/policy.js';
import type { Gates } from '../gates.js';
import { destinationLabel } from '../subscription-meter.js';
import { Destination } from './destination.js';
import { EndpointGroup } from './endpoint-group.js';

/** As many as there are idle connections, about 5 KiB each. More only while deliveries to them are under way: the windows bound that. */
const maxKept = 16_384;
/** How many whose gates remember something are passed over at a time, before one of them goes. */
const maxPassed = 8;
/** Who was used in this period or the one before counts as a peer of the others, as does everybody with deliveries under way. */
const periodMs = 10_000;

export interface TableParts {
  readonly subscription: SubscriptionSettings;
  readonly clock: Clock;
  readonly gates: Gates;
  /** As GateScope's. */
  readonly share?: () => number;
  readonly wake: (destination: Destination) => void;
}

export class DestinationTable {
  private readonly byName = new Map<string, Destination>();
  /** Those that nothing waits for, the least recently used first. */
  private readonly idle = new LinkedSet<Destination>(({ link }) => link);
  private period = 0;
  private usedNow = 0;
  private usedBefore = 0;
  private usedInBoth = 0;

  constructor(private readonly parts: TableParts) {}

  get size(): number {
    return this.byName.size;
  }

  [Symbol.iterator](): IterableIterator<Destination> {
    return this.byName.values();
  }

  find(name: string): Destination | undefined {
    return this.byName.get(name);
  }

  /** The destination of that name, for one more delivery; `release` it as often as it was taken. */
  take(name: string): Destination {
    const destination = this.byName.get(name) ?? this.open(name);
    if (destination.pending === 0) {
      this.idle.delete(destination);
      destination.becameBusy(this.parts.clock.elapsedMs());
    }
    destination.pending += 1;
    this.use(destination);
    return destination;
  }

  release(destination: Destination): void {
    destination.pending -= 1;
    this.use(destination);
    if (destination.pending > 0) return;
    this.idle.add(destination);
    this.shrink();
  }

  /** How many share the subscription now: those with deliveries under way, or those used of late if they are more. */
  get sharing(): number {
    this.turnPeriod();
    return Math.max(this.byName.size - this.idle.size, this.usedNow + this.usedBefore - this.usedInBoth);
  }

  /** True when another one has deliveries under way, or was used of late. */
  hasPeers(destination: Destination): boolean {
    this.turnPeriod();
    const busy = this.byName.size - this.idle.size - (destination.pending > 0 ? 1 : 0);
    const used = this.usedNow + this.usedBefore - this.usedInBoth - (destination.usedIn >= this.period - 1 ? 1 : 0);
    return busy > 0 || used > 0;
  }

  /** The subscription's settings have changed. */
  adjust(): void {
    const { subscription } = this.parts;
    for (const destination of this.byName.values()) {
      destination.settings = this.settingsOf(destination.name);
      destination.row.adjust({ subscription, destination: destination.settings });
    }
  }

  close(): void {
    for (const destination of this.byName.values()) destination.row.close();
    this.byName.clear();
    this.idle.clear();
  }

  private open(name: string): Destination {
    const { subscription, clock, gates, wake } = this.parts;
    const settings = this.settingsOf(name);
    const scope: GateScope = {
      subscription,
      destination: settings,
      name,
      hasPeers: () => this.hasPeers(destination),
      share: this.parts.share ?? (() => 1),
      receiver: this.receiverOf(name),
      wake: () => wake(destination),
    };
    const isGroup = name === groupDestination;
    const row = isGroup ? new EndpointGroup({ clock, gates, scope }) : gates.openDestination(scope);
    const label = destinationLabel(subscription, name);
    const destination = new Destination(name, settings, row, label, clock.elapsedMs());
    this.byName.set(name, destination);
    this.shrink();
    return destination;
  }

  private settingsOf(name: string): DestinationSettings {
    const { destinations, destination } = this.parts.subscription;
    return destinations.find((named) => named.name === name) ?? destination;
  }

  /** The one that the subscription names, where it is this destination's. */
  private receiverOf(name: string): CallUrl | null {
    const { url, destinations } = this.parts.subscription;
    const receiver = url === null ? null : parseCallUrl(url);
    if (receiver === null) return null;
    const named = destinations.find(({ origins }) => origins.includes(receiver.origin));
    return (named?.name ?? receiver.origin) === name ? receiver : null;
  }

  private shrink(): void {
    if (this.byName.size <= maxKept) return;
    for (let passed = 0; passed < maxPassed; passed += 1) {
      const oldest = this.idle.first;
      if (oldest === undefined || oldest.row.isAtRest) break;
      this.idle.add(oldest);
    }
    const { first } = this.idle;
    if (first !== undefined) this.forget(first);
  }

  private forget(destination: Destination): void {
    this.idle.delete(destination);
    this.byName.delete(destination.name);
    destination.row.close();
  }

  private use(destination: Destination): void {
    this.turnPeriod();
    if (destination.usedIn === this.period) return;
    if (destination.usedIn === this.period - 1) this.usedInBoth += 1;
    destination.usedIn = this.period;
    this.usedNow += 1;
  }

  private turnPeriod(): void {
    const period = Math.floor(this.parts.clock.elapsedMs() / periodMs);
    if (period === this.period) return;
    this.usedBefore = period === this.period + 1 ? this.usedNow : 0;
    this.usedNow = 0;
    this.usedInBoth = 0;
    this.period = period;
  }
}
