// What a caller who is let in may do.
import { matchesOrigin, type OriginPattern } from '../config-watch/origin-pattern.js';
import type { AclSettings } from '../config-watch/settings.js';
import { parseCallUrl } from '../message/call-url.js';
import type { Clock } from '../message/clock.js';
import type { Quota, Throttle } from '../message/quota.js';
import { RecentMap } from '../message/recent-map.js';

/** One caller's rights, as they were when it was asked for; hold it for one call only. */
export interface AclEntry {
  readonly name: string;
  /** Where calls go that name no topic. */
  readonly topic: string;
  /** Who is asked about its transactions that name nobody themselves. */
  readonly checkUrls: readonly string[];
  mayWrite(topic: string): boolean;
  /** False also for what is no URL of a call. What the egress guard says is another matter. */
  mayCall(url: string): boolean;
  /** May fetch the group's messages. */
  mayPull(groupId: string): boolean;
  /** Counts so many calls; what to answer where these are too many (then none is counted), else null. */
  admit(calls?: number): Throttle | null;
}

/** Matching costs some microseconds, and a caller calls the same origins many times. Twice as many at the most. */
const maxKnownOrigins = 16_384;

export class Rights implements AclEntry {
  readonly name: string;
  readonly topic: string;
  readonly checkUrls: readonly string[];
  private readonly topics: ReadonlySet<string>;
  private readonly allow: readonly OriginPattern[] | null;
  private readonly groups: ReadonlySet<string>;
  private readonly known = new RecentMap<string, boolean>(maxKnownOrigins);

  constructor(
    { name, topic, topics, allow, checkUrls, pull }: AclSettings,
    private readonly quota: Quota | null,
    private readonly clock: Clock,
  ) {
    this.name = name;
    this.topic = topic;
    this.topics = new Set([topic, ...topics]);
    this.allow = allow;
    this.checkUrls = checkUrls;
    this.groups = new Set(pull);
  }

  admit(calls = 1): Throttle | null {
    return this.quota === null ? null : this.quota.take(calls, this.clock.elapsedMs());
  }

  mayWrite(topic: string): boolean {
    return this.topics.has(topic);
  }

  mayPull(groupId: string): boolean {
    return this.groups.has(groupId);
  }

  mayCall(url: string): boolean {
    const origin = parseCallUrl(url)?.origin;
    if (origin === undefined) return false;
    const { allow } = this;
    if (allow === null) return true;
    let may = this.known.get(origin);
    if (may === undefined) {
      may = allow.some((pattern) => matchesOrigin(pattern, origin));
      this.known.set(origin, may);
    }
    return may;
  }
}
