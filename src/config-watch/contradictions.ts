// Faults that no single value shows: names that are not there, names that are there twice.
import { delayTiers, delayTopic, overflowTopic, ownTopics, parkedTopic } from '../message/side-topic.js';
import type { Faults } from './faults.js';
import { entriesOf } from './json.js';
import { originOf } from './origin.js';
import type { AclEntry, KafkaSection, TopicEntry } from './schema/kafka.js';
import type { ServerSection } from './schema/server.js';
import type {
  BindingEntry,
  EndpointEntry,
  NamedDestinationEntry,
  RetryBackoffEntry,
  SubscriptionEntry,
  SubscriptionSection,
} from './schema/subscription.js';
import { statusesOf } from './status-list.js';
import { deadLetterTopicOf } from './subscription-settings.js';
import { typePatternOf } from './type-pattern.js';

/** Looks at whatever has the right shape, also beside other faults. */
export function collectContradictions(kafka: KafkaSection, subscription: SubscriptionSection, faults: Faults): void {
  const topics = entriesOf<TopicEntry>(kafka['kafka.topics']);
  const acl = entriesOf<AclEntry>(kafka['kafka.producer.acl']);
  const consumers = entriesOf<SubscriptionEntry>(subscription['kafka.consumer.list']);
  const names = topics.map(({ name }) => name);
  repeated(names, (i) => faults.push(`kafka.topics[${i}].name: found ${faults.shown(names[i])} a second time`));
  names.forEach((name, i) => {
    if (ownTopics.includes(name))
      faults.push(`kafka.topics[${i}].name: found ${faults.shown(name)}, which is bigpipe's own`);
  });
  topics.forEach(({ rateLimit, burst }, i) => {
    if (burst !== undefined && rateLimit === undefined) {
      faults.push(`kafka.topics[${i}].burst: found ${faults.shown(burst)}, allowed: beside a rateLimit only`);
    }
  });
  const known = [...new Set(names)].map((name) => faults.shown(name)).join(', ');
  const mustBeKnown = (path: string, topic: unknown) => {
    if (typeof topic !== 'string' || names.length === 0 || names.includes(topic)) return;
    faults.push(`${path}: found ${faults.shown(topic)}, allowed: a topic of kafka.topics (${known})`);
  };
  acl.forEach(({ topic, topics: others, secret, secrets, rateLimit, burst }, i) => {
    const path = `kafka.producer.acl[${i}]`;
    mustBeKnown(`${path}.topic`, topic);
    for (const other of Array.isArray(others) ? others : []) mustBeKnown(`${path}.topics`, other);
    if (burst !== undefined && rateLimit === undefined) {
      faults.push(`${path}.burst: found ${faults.shown(burst)}, allowed: beside a rateLimit only`);
    }
    if (secret !== undefined && secrets !== undefined) {
      faults.push(`${path}.secrets: found beside secret, allowed: one of the two`);
    }
  });
  const aclNames = acl.map(({ name }) => name);
  repeated(aclNames, (i) =>
    faults.push(`kafka.producer.acl[${i}].name: found ${faults.shown(aclNames[i])} a second time`),
  );
  const again = repeatedClaims(consumers);
  consumers.forEach((entry, i) => {
    const path = `kafka.consumer.list[${i}]`;
    mustBeKnown(`${path}.topic`, entry.topic);
    if (again.has(i)) {
      faults.push(`${path}.groupId: found ${faults.shown(entry.groupId)} a second time for this topic`);
    }
    collectEntry(path, entry, faults);
  });
  collectSideTopics(consumers, names, faults);
}

/** Topics that are open to everybody must be there. */
export function collectOpenTopics(kafka: KafkaSection, server: ServerSection, faults: Faults): void {
  const names = entriesOf<TopicEntry>(kafka['kafka.topics']).map(({ name }) => name);
  const open: unknown = server['commit.open.topics'];
  for (const [i, name] of (Array.isArray(open) ? open : []).entries()) {
    if (typeof name !== 'string' || name === '' || names.length === 0 || names.includes(name)) continue;
    const known = names.map((one) => faults.shown(one)).join(', ');
    faults.push(`commit.open.topics[${i}]: found ${faults.shown(name)}, allowed: a topic of kafka.topics (${known})`);
  }
}

/** They share the names' space: a.b of group c and a of group b.c would be one. */
function collectSideTopics(consumers: readonly SubscriptionEntry[], names: readonly string[], faults: Faults): void {
  const again = repeatedClaims(consumers);
  const taken = new Map(names.map((name) => [name, { by: -1, text: 'in kafka.topics' }]));
  for (const name of ownTopics) taken.set(name, { by: -1, text: "bigpipe's own" });
  consumers.forEach((entry, i) => {
    if (again.has(i)) return;
    for (const [what, name] of sideTopicsOf(entry)) {
      const other = taken.get(name);
      if (other === undefined) taken.set(name, { by: i, text: `its ${what} topic` });
      else {
        const text = other.by === -1 || other.by === i ? other.text : "another entry's already";
        faults.push(`kafka.consumer.list[${i}]: its ${what} topic ${faults.shown(name)} is ${text}`);
      }
    }
  });
}

function sideTopicsOf(entry: SubscriptionEntry): (readonly [what: string, name: string])[] {
  const { topic, groupId } = entry;
  const letters = deadLetterTopicOf(entry);
  return [
    ['overflow', overflowTopic(topic, groupId)],
    ['parked', parkedTopic(topic, groupId)],
    ...delayTiers.map((tier) => ['delay', delayTopic(topic, groupId, tier)] as const),
    ...(typeof letters === 'string' ? [['dead-letter', letters] as const] : []),
  ];
}

/** The indexes of entries whose topic and group stood before. */
function repeatedClaims(consumers: readonly SubscriptionEntry[]): ReadonlySet<number> {
  const again = new Set<number>();
  repeated(
    consumers.map(({ topic, groupId }) => `${topic} ${groupId}`),
    (i) => again.add(i),
  );
  return again;
}

/** Of requests and their answers. */
const onlyPushed = ['url', 'endpoints', 'signing', 'destinations', 'successOn', 'retryOn', 'rejectOn'] as const;

/** What is said of requests to a subscription's own receivers needs such receivers. */
function collectShape(path: string, entry: SubscriptionEntry, faults: Faults): void {
  const { uri, headers, url, endpoints } = entry;
  const hasNone = url === undefined && endpoints === undefined;
  const hasHeaders = typeof headers === 'object' && headers !== null && Object.keys(headers).length > 0;
  if (hasNone && uri !== undefined)
    faults.push(`${path}.uri: found without url or endpoints, allowed: beside one of them`);
  if (hasNone && hasHeaders)
    faults.push(`${path}.headers: found without url or endpoints, allowed: beside one of them`);
  if (uri !== undefined && receiversOf(entry).some(isGrpc))
    faults.push(`${path}.uri: found beside a grpc receiver, allowed: beside http ones`);
}

const receiversOf = ({ url, endpoints }: SubscriptionEntry): unknown[] => [
  url,
  ...entriesOf<EndpointEntry>(endpoints).map((endpoint) => endpoint.url),
];

const isGrpc = (url: unknown) => typeof url === 'string' && /^grpcs?:/i.test(url);

/** Inside one consumer entry. */
export function collectEntry(path: string, entry: SubscriptionEntry, faults: Faults): void {
  const { initialMs, maxMs } = (entry.retryBackoff ?? {}) as Partial<RetryBackoffEntry>;
  if (initialMs !== undefined && maxMs !== undefined && maxMs < initialMs) {
    faults.push(`${path}.retryBackoff.maxMs: found ${maxMs}, allowed: at least initialMs (${initialMs})`);
  }
  if (entry.poison === 'park' && entry.deadLetterTopic === false) {
    faults.push(`${path}.poison: found "park", allowed: where dead letters are kept (deadLetterTopic is false)`);
  }
  for (const key of onlyPushed) {
    if (entry.delivery !== 'pull' || entry[key] === undefined || (entry[key] as unknown[]).length === 0) continue;
    faults.push(`${path}.${key}: found beside "delivery": "pull", allowed: where messages are sent`);
  }
  collectBindings(path, entry, faults);
  collectEndpoints(path, entry, faults);
  collectStatuses(path, entry, faults);
  collectShape(path, entry, faults);
  collectHandshake(path, entry, faults);
  const named = entriesOf<NamedDestinationEntry>(entry.destinations);
  const names = named.map(({ name }) => name);
  repeated(names, (i) => faults.push(`${path}.destinations[${i}].name: found ${faults.shown(names[i])} a second time`));
  const origins = named.flatMap(({ origins: list }, i) =>
    (Array.isArray(list) ? list : []).map((origin) => ({ i, origin: originOf(origin) ?? undefined })),
  );
  const texts = origins.map(({ origin }) => origin);
  repeated(texts, (at) =>
    faults.push(`${path}.destinations[${origins[at]?.i}].origins: found ${faults.shown(texts[at])} a second time`),
  );
  const entries = [
    { where: 'destination', of: entry.destination },
    ...named.map((of, i) => ({ where: `destinations[${i}]`, of })),
  ];
  for (const { where, of } of entries) {
    if (of?.burst !== undefined && of.rateLimit === undefined) {
      faults.push(`${path}.${where}.burst: found ${faults.shown(of.burst)}, allowed: beside a rateLimit only`);
    }
  }
}

/** Only whom the subscription names itself is asked, and over HTTP. */
function collectHandshake(path: string, entry: SubscriptionEntry, faults: Faults): void {
  const { handshake, url, endpoints, delivery } = entry;
  if (handshake !== 'required') return;
  const found = `${path}.handshake: found "required"`;
  if (delivery === 'pull') faults.push(`${found} beside "delivery": "pull", allowed: where messages are sent`);
  else if (url === undefined && endpoints === undefined)
    faults.push(`${found} without url or endpoints, allowed: beside one of them`);
  if (receiversOf(entry).some(isGrpc)) faults.push(`${found} beside a grpc receiver, allowed: beside http ones`);
}

function collectEndpoints(path: string, { url, endpoints, durable }: SubscriptionEntry, faults: Faults): void {
  if (endpoints === undefined) {
    if (durable === false) faults.push(`${path}.durable: found false, allowed: beside endpoints only`);
    return;
  }
  if (url !== undefined) faults.push(`${path}.endpoints: found beside url, allowed: one of the two`);
  const urls = entriesOf<EndpointEntry>(endpoints).map((endpoint) => endpoint.url);
  repeated(urls, (i) => faults.push(`${path}.endpoints[${i}].url: found ${faults.shown(urls[i])} a second time`));
}

function collectBindings(path: string, entry: SubscriptionEntry, faults: Faults): void {
  entriesOf<BindingEntry>(entry.bindings).forEach(({ kind, type, anchored }, i) => {
    const here = `${path}.bindings[${i}]`;
    if (kind === 'fanout' && type !== undefined) {
      faults.push(`${here}.type: found ${faults.shown(type)}, allowed: none beside fanout`);
    }
    if ((kind === 'direct' || kind === 'regex') && type === undefined) {
      faults.push(`${here}.type: found nothing, allowed: ${kind === 'direct' ? 'a type' : 'a pattern'}`);
    }
    if (anchored !== undefined && kind !== 'regex') faults.push(`${here}.anchored: allowed: beside regex only`);
    if (kind !== 'regex' || typeof type !== 'string') return;
    const pattern = typePatternOf(type, anchored ?? true);
    if (typeof pattern === 'string') {
      faults.push(`${here}.type: found ${faults.shown(type)}, allowed: a pattern in the syntax of RE2: ${pattern}`);
    }
  });
}

/** One status in two lists says two things. */
function collectStatuses(path: string, entry: SubscriptionEntry, faults: Faults): void {
  const seen = new Map<number, string>();
  for (const key of ['successOn', 'retryOn', 'rejectOn'] as const) {
    const list = entry[key];
    const statuses = Array.isArray(list) ? statusesOf(list) : null;
    for (const status of statuses ?? []) {
      const other = seen.get(status);
      if (other !== undefined && other !== key) {
        faults.push(`${path}.${key}: found ${status}, which is in ${other} already`);
        return;
      }
      seen.set(status, key);
    }
  }
}

/** Calls `found` with the index of each value that stood before. */
function repeated(values: readonly unknown[], found: (index: number) => void): void {
  const seen = new Set<unknown>();
  values.forEach((value, i) => {
    if (value !== undefined && seen.has(value)) found(i);
    seen.add(value);
  });
}
