// Which of a group's endpoints comes first: in turn by weight, the one with the least in flight, or the key's own; pure.
import type { EndpointChoice } from '../../config-watch/settings.js';

export interface Choosable {
  readonly weight: number;
  readonly inFlight: number;
  /** hashOf its name. */
  readonly hash: number;
  /** How long it has not had its turn, in weights: whoever stands highest is next. */
  turn: number;
}

/** The best of those given, which are not empty. Ties go to the one whose turn it is. */
export function bestOf<T extends Choosable>(choice: EndpointChoice, endpoints: readonly T[], key: Buffer | null): T {
  if (choice === 'sticky' && key !== null) {
    const keyHash = hashOf(key.toString('latin1'));
    return highest(endpoints, (endpoint) => affinityOf(keyHash, endpoint));
  }
  if (choice !== 'least-in-flight') return highest(endpoints, ({ turn, weight }) => turn + weight);
  const load = Math.min(...endpoints.map(loadOf));
  return highest(endpoints, (endpoint) => (loadOf(endpoint) > load ? Number.NEGATIVE_INFINITY : endpoint.turn));
}

/** One of them got an attempt; `all`, it among them, are those that might have. Every endpoint gets as many of a round as it weighs, spread over it. */
export function turned<T extends Choosable>(chosen: T, all: readonly T[]): void {
  let round = 0;
  for (const endpoint of all) {
    endpoint.turn += endpoint.weight;
    round += endpoint.weight;
  }
  chosen.turn -= round;
}

/** FNV-1a over the text's code units, 32 bits. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed(hash);
}

const loadOf = ({ inFlight, weight }: Choosable) => (inFlight + 1) / weight;

/** Rendezvous hashing: when an endpoint goes, only its own keys move; when one comes, it takes its share of each. */
function affinityOf(keyHash: number, { hash, weight }: Choosable): number {
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

function highest<T>(items: readonly T[], score: (item: T) => number): T {
  let best = items[0] as T;
  let bestScore = score(best);
  for (const item of items) {
    const own = score(item);
    if (own > bestScore) [best, bestScore] = [item, own];
  }
  return best;
}
