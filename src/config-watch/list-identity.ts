// What makes two entries of a list the same entry.
import type { Json } from './json.js';

interface Identity {
  /** What an entry is called in a sentence. */
  readonly what: string;
  /** Null for an entry that does not say who it is. */
  of(entry: Json): string | null;
}

const byName = (what: string): Identity => ({ what, of: ({ name }) => (typeof name === 'string' ? name : null) });

const byClaim: Identity = {
  what: 'consumer',
  of: ({ topic, groupId }) =>
    typeof topic === 'string' && typeof groupId === 'string' ? `${groupId} of ${topic}` : null,
};

const identities = new Map<string, Identity>([
  ['kafka.topics', byName('topic')],
  ['kafka.producer.acl', byName('acl')],
  ['kafka.consumer.list', byClaim],
  ['destinations', byName('destination')],
]);

/** By the list's own key; undefined for a list that is one value. */
export const identityOf = (key: string): Identity | undefined => identities.get(key);
