// What came, went and changed between two snapshots, for modules that adjust entry by entry; pure.
import { isDeepStrictEqual } from 'node:util';
import type { Settings, SubscriptionSettings, TopicSettings } from './settings.js';

export interface EntryChange<T> {
  readonly added: readonly T[];
  readonly removed: readonly T[];
  /** The same entry by name, with other values. */
  readonly changed: readonly { readonly current: T; readonly next: T }[];
}

/** An entry is its topic and group. */
export function subscriptionChange(current: Settings, next: Settings): EntryChange<SubscriptionSettings> {
  return entryChange(current.subscriptions, next.subscriptions, ({ topic, groupId }) => `${topic} ${groupId}`);
}

export function topicChange(current: Settings, next: Settings): EntryChange<TopicSettings> {
  return entryChange(current.topics, next.topics, ({ name }) => name);
}

function entryChange<T>(current: readonly T[], next: readonly T[], nameOf: (entry: T) => string): EntryChange<T> {
  const before = new Map(current.map((entry) => [nameOf(entry), entry]));
  const names = new Set(next.map(nameOf));
  const kept = next.flatMap((entry) => {
    const old = before.get(nameOf(entry));
    return old === undefined ? [] : [{ current: old, next: entry }];
  });
  return {
    added: next.filter((entry) => !before.has(nameOf(entry))),
    removed: current.filter((entry) => !names.has(nameOf(entry))),
    changed: kept.filter((entry) => !isDeepStrictEqual(entry.current, entry.next)),
  };
}
