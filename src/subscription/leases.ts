// The endpoints that have registered themselves, each for a while: who is there, and who has stayed away.
import type { EndpointSettings } from '../config-watch/settings.js';

export interface Lease {
  readonly url: string;
  readonly weight: number;
  /** null: the subscription's. */
  readonly warmupMs: number | null;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/** Of one group, and of all together; somebody who asks for more is refused. */
export const maxLeases = 16_384;
export const maxLeasesInAll = 16_384;

interface Leased {
  lease: Lease;
  /** The same object for as long as it says the same: whoever compares sees at once what has changed. */
  readonly endpoint: EndpointSettings;
}

export class Leases {
  private readonly byGroup = new Map<string, Map<string, Leased>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  of(group: string, url: string): Lease | undefined {
    return this.byGroup.get(group)?.get(url)?.lease;
  }

  endpointsOf(group: string): readonly EndpointSettings[] {
    return Array.from(this.byGroup.get(group)?.values() ?? [], ({ endpoint }) => endpoint);
  }

  *all(): Generator<readonly [group: string, lease: Lease]> {
    for (const [group, leases] of this.byGroup) for (const { lease } of leases.values()) yield [group, lease];
  }

  /** Why no further one may come; null when it may, or when it is there already. */
  noRoomFor(group: string, url: string): string | null {
    const leases = this.byGroup.get(group);
    if (leases?.has(url)) return null;
    if (this.count >= maxLeasesInAll) return `${maxLeasesInAll} endpoints have a lease already`;
    return (leases?.size ?? 0) < maxLeases ? null : `the group has ${maxLeases} endpoints with a lease already`;
  }

  /** False when only its end is another one. */
  put(group: string, lease: Lease): boolean {
    const leases = this.byGroup.get(group) ?? new Map<string, Leased>();
    this.byGroup.set(group, leases);
    const { url, weight, warmupMs } = lease;
    const known = leases.get(url);
    if (known?.endpoint.weight === weight && known.endpoint.warmupMs === warmupMs) {
      known.lease = lease;
      return false;
    }
    if (known === undefined) this.count += 1;
    leases.set(url, { lease, endpoint: { url, weight, warmupMs } });
    return true;
  }

  /** False when it was not there. */
  delete(group: string, url: string): boolean {
    const leases = this.byGroup.get(group);
    if (leases === undefined || !leases.delete(url)) return false;
    this.count -= 1;
    if (leases.size === 0) this.byGroup.delete(group);
    return true;
  }

  deleteAll(group: string): void {
    this.count -= this.byGroup.get(group)?.size ?? 0;
    this.byGroup.delete(group);
  }

  /** Takes out those whose time is over; the groups that have lost one. */
  expire(nowMs: number): string[] {
    const groups = new Set<string>();
    for (const [group, { url, expiresMs }] of this.all()) {
      if (expiresMs > nowMs) continue;
      this.delete(group, url);
      groups.add(group);
    }
    return [...groups];
  }
}
