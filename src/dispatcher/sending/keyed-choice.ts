// Which endpoint is a key's own: weighted rendezvous hashing, over those that are not set aside.
import { fnv1a } from '../../message/fnv.js';
import { RecentMap } from '../../message/recent-map.js';

export interface Hashed {
  readonly weight: number;
  /** hashOf its name. */
  readonly hash: number;
  /** Its place among those of its weight; -1 while it is set aside. Nobody else's to write. */
  slot: number;
}

/** Keys whose endpoint is known until one comes or goes; twice as many at the most. */
const maxKnown = 8192;

/**
 * When an endpoint goes, only its own keys move; when one comes, it takes its share of each. A key that is asked for the first
 * time costs a pass over the hashes, a few nanoseconds each.
 */
export class KeyedChoice<T extends Hashed> {
  private readonly byWeight = new Map<number, OneWeight<T>>();
  private readonly known = new RecentMap<number, T>(maxKnown);

  add(endpoint: T): void {
    let group = this.byWeight.get(endpoint.weight);
    if (group === undefined) {
      group = new OneWeight();
      this.byWeight.set(endpoint.weight, group);
    }
    group.add(endpoint);
    this.known.clear();
  }

  remove(endpoint: T): void {
    const group = this.byWeight.get(endpoint.weight);
    group?.remove(endpoint);
    if (group?.isEmpty === true) this.byWeight.delete(endpoint.weight);
    this.known.clear();
  }

  /** Undefined when there is none but `other`. `keyHash`: hashOf the key. */
  of(keyHash: number, other: T | null): T | undefined {
    const known = this.known.get(keyHash);
    if (known !== undefined && known !== other) return known;
    let best: T | undefined;
    let bestAffinity = Number.NEGATIVE_INFINITY;
    for (const [weight, group] of this.byWeight) {
      const endpoint = group.bestFor(keyHash, other);
      if (endpoint === undefined) continue;
      const affinity = affinityOf(keyHash, endpoint.hash, weight);
      if (affinity > bestAffinity) [best, bestAffinity] = [endpoint, affinity];
    }
    if (best !== undefined && other === null) this.known.set(keyHash, best);
    return best;
  }
}

/** Of equal weights the highest hash has the highest affinity, so that no logarithm is needed. */
class OneWeight<T extends Hashed> {
  private readonly endpoints: T[] = [];
  /** Of the same places. */
  private hashes = new Uint32Array(8);

  get isEmpty(): boolean {
    return this.endpoints.length === 0;
  }

  add(endpoint: T): void {
    endpoint.slot = this.endpoints.length;
    if (endpoint.slot === this.hashes.length) {
      const grown = new Uint32Array(2 * this.hashes.length);
      grown.set(this.hashes);
      this.hashes = grown;
    }
    this.hashes[endpoint.slot] = endpoint.hash;
    this.endpoints.push(endpoint);
  }

  remove(endpoint: T): void {
    const last = this.endpoints.pop() as T;
    if (last !== endpoint) {
      last.slot = endpoint.slot;
      this.endpoints[last.slot] = last;
      this.hashes[last.slot] = last.hash;
    }
    endpoint.slot = -1;
  }

  bestFor(keyHash: number, other: T | null): T | undefined {
    const { hashes, endpoints } = this;
    const skipped = other !== null && endpoints[other.slot] === other ? other.slot : -1;
    let best = -1;
    let bestHash = -1;
    for (let slot = 0; slot < endpoints.length; slot += 1) {
      const hash = mixed(keyHash ^ (hashes[slot] as number));
      if (hash <= bestHash || slot === skipped) continue;
      best = slot;
      bestHash = hash;
    }
    return endpoints[best];
  }
}

/** 32 bits. */
export function hashOf(text: string): number {
  return mixed(fnv1a(text));
}

function affinityOf(keyHash: number, hash: number, weight: number): number {
  const uniform = (mixed(keyHash ^ hash) + 0.5) / 2 ** 32;
  return -weight / Math.log(uniform);
}

/** The finishing steps of murmur3: every bit of the input moves half of the output's. */
function mixed(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
