// The endpoints that have registered themselves, each for a while: who is there, and who has stayed away.

export interface Lease {
  readonly url: string;
  readonly weight: number;
  /** null: the subscription's. */
  readonly warmupMs: number | null;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/** Of one group, and of all together; somebody who asks for more is refused. */
export const maxLeases = 256;
export const maxLeasesInAll = 16_384;

export class Leases {
  private readonly byGroup = new Map<string, Map<string, Lease>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  of(group: string): readonly Lease[] {
    return [...(this.byGroup.get(group)?.values() ?? [])];
  }

  *all(): Generator<readonly [group: string, lease: Lease]> {
    for (const [group, leases] of this.byGroup) for (const lease of leases.values()) yield [group, lease];
  }

  /** Why no further one may come; null when it may, or when it is there already. */
  noRoomFor(group: string, url: string): string | null {
    const leases = this.byGroup.get(group);
    if (leases?.has(url)) return null;
    if (this.count >= maxLeasesInAll) return `${maxLeasesInAll} endpoints have a lease already`;
    return (leases?.size ?? 0) < maxLeases ? null : `the group has ${maxLeases} endpoints with a lease already`;
  }

  put(group: string, lease: Lease): void {
    const leases = this.byGroup.get(group) ?? new Map<string, Lease>();
    this.byGroup.set(group, leases);
    if (!leases.has(lease.url)) this.count += 1;
    leases.set(lease.url, lease);
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
    for (const { url } of this.of(group)) this.delete(group, url);
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
