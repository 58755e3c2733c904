// From a validated caller entry to the caller's part of the snapshot.
import { originPatternOf } from './origin-pattern.js';
import type { AclEntry } from './schema/kafka.js';
import { secretFormOf } from './secret-form.js';
import type { AclSettings } from './settings.js';

export function aclOf(entry: AclEntry): AclSettings {
  const { name, secret, secrets, topic, topics, allow, checkUrls, pull, rateLimit, burst } = entry;
  return {
    name,
    secrets: (secrets ?? [secret]).map(secretFormOf).filter((form) => form !== null),
    topic,
    topics: topics ?? [],
    allow: allow?.map(originPatternOf).filter((pattern) => pattern !== null) ?? null,
    checkUrls: checkUrls ?? [],
    pull: pull ?? [],
    rate: rateLimit === undefined ? null : { perSecond: rateLimit, burst: burst ?? Math.max(1, rateLimit) },
  };
}
