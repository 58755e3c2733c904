// Faults that no single value shows: names that are not there, names that are there twice.
import { deadLetterTopic } from '../message/dead-letter-topic.js';
import { entriesOf, shown } from './json.js';
import type { AclEntry, KafkaSection, TopicEntry } from './schema/kafka.js';
import type { SubscriptionEntry, SubscriptionSection } from './schema/subscription.js';

/** Looks at whatever has the right shape, also beside other faults. */
export function collectContradictions(kafka: KafkaSection, subscription: SubscriptionSection, faults: string[]): void {
  const topics = entriesOf<TopicEntry>(kafka['kafka.topics']);
  const acl = entriesOf<AclEntry>(kafka['kafka.producer.acl']);
  const consumers = entriesOf<SubscriptionEntry>(subscription['kafka.consumer.list']);
  const names = topics.map(({ name }) => name);
  repeated(names, (i) => faults.push(`kafka.topics[${i}].name: found ${shown(names[i])} a second time`));
  const known = [...new Set(names)].map((name) => shown(name)).join(', ');
  const mustBeKnown = (path: string, topic: unknown) => {
    if (typeof topic !== 'string' || names.length === 0 || names.includes(topic)) return;
    faults.push(`${path}.topic: found ${shown(topic)}, allowed: a topic of kafka.topics (${known})`);
  };
  acl.forEach(({ topic }, i) => {
    mustBeKnown(`kafka.producer.acl[${i}]`, topic);
  });
  const aclNames = acl.map(({ name }) => name);
  repeated(aclNames, (i) => faults.push(`kafka.producer.acl[${i}].name: found ${shown(aclNames[i])} a second time`));
  const claims = consumers.map(({ topic, groupId }) => `${topic} ${groupId}`);
  consumers.forEach((entry, i) => {
    const path = `kafka.consumer.list[${i}]`;
    mustBeKnown(path, entry.topic);
    if (claims.indexOf(claims[i] as string) < i) {
      faults.push(`${path}.groupId: found ${shown(entry.groupId)} a second time for this topic`);
    }
    const { initialMs, maxMs } = entry.retryBackoff ?? {};
    if (maxMs < initialMs) {
      faults.push(`${path}.retryBackoff.maxMs: found ${maxMs}, allowed: at least initialMs (${initialMs})`);
    }
  });
  // Dead-letter topics share the names' space: a.b of group c and a of group b.c would be one.
  const letters = consumers.map(({ topic, groupId }) => deadLetterTopic(topic, groupId));
  repeated(letters, (i) => {
    if (claims.indexOf(claims[i] as string) < i) return;
    faults.push(`kafka.consumer.list[${i}]: its dead-letter topic ${shown(letters[i])} is another entry's already`);
  });
  letters.forEach((letter, i) => {
    if (names.includes(letter))
      faults.push(`kafka.consumer.list[${i}]: its dead-letter topic ${shown(letter)} is in kafka.topics`);
  });
}

/** Calls `found` with the index of each value that stood before. */
function repeated(values: readonly unknown[], found: (index: number) => void): void {
  values.forEach((value, i) => {
    if (value !== undefined && values.indexOf(value) < i) found(i);
  });
}
